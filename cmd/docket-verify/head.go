package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/source"
	"github.com/docket-ledger/docket/verify"
)

// A head is a log as it is now.
type head struct {
	signed verify.Signed
	tree   *verify.Tree
}

// openHead opens the log of --head; nil if there is none.
func openHead(ctx context.Context, where string, policy policies) (*head, error) {
	if where == "" {
		return nil, nil
	}
	src, err := source.Open(where)
	if err != nil {
		return nil, err
	}
	note, err := src.ReadFile(ctx, "checkpoint")
	if err != nil {
		return nil, cli.Unknown(fmt.Errorf("--head: read the checkpoint: %w", err))
	}
	signed, err := policy.Open(note)
	if err != nil {
		return nil, fmt.Errorf("--head: %w", err)
	}
	return &head{signed, signed.Tree(src)}, nil
}

// extends checks that the log is what a checkpoint has grown to, which a log key of
// some policy signed. If it is not, the error is a
// *verify.ForkError with both as signed.
func (h *head) extends(ctx context.Context, policy policies, note []byte) error {
	held, err := policy.Held(note)
	if err != nil {
		return err
	}
	err = h.tree.ExtendsSigned(ctx, held[0])
	var fork *verify.ForkError
	var file *verify.FileError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fork):
		return fmt.Errorf("--head: %w: the receipt's checkpoint and that of the log as it is now are the evidence, --json prints it", err)
	case errors.As(err, &file), errors.Is(err, verify.ErrOrigin):
		return fmt.Errorf("--head: %w", err)
	}
	return cli.Unknown(fmt.Errorf("--head: %w", err))
}
