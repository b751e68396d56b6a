package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify"
)

// Witnesses say who cosigns the checkpoints of a ledger.
type Witnesses struct {
	// Policy is a trust policy file whose log is this ledger, or without log
	// lines. Its quorum is not none.
	Policy []byte
	// Ask is called when the ledger was read and nothing is signed yet, with
	// the policy and the folder for what cosigning keeps. Its error ends Open.
	Ask func(ctx context.Context, l *ledger.Ledger, policy *verify.Policy, dir string) error
}

// CheckpointsDir is where a data directory has its witnessed checkpoints.
func CheckpointsDir(dir string) string { return filepath.Join(dir, "checkpoints") }

// withWitnesses puts into cfg what witnesses and timemarks need.
func withWitnesses(cfg *ledger.Config, dir string, w *Witnesses) error {
	cfg.Checkpoints = CheckpointsDir(dir)
	machine, err := keyfile.Read(filepath.Join(dir, "keys", "machine.jwk"), nil)
	switch {
	case err == nil:
		cfg.Machine = machine
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if w == nil {
		return nil
	}
	policy, err := witnessPolicy(w.Policy, append([]string{cfg.VKey}, cfg.Former...))
	if err != nil {
		return fmt.Errorf("the witness policy: %w", err)
	}
	cfg.WitnessPolicy = policy
	cfg.BeforeSigning = func(ctx context.Context, l *ledger.Ledger) error { return w.Ask(ctx, l, policy, cfg.Checkpoints) }
	return nil
}

// witnessPolicy reads a witness policy for the log with these keys.
func witnessPolicy(file []byte, vkeys []string) (*verify.Policy, error) {
	p, err := verify.ParsePolicy(file)
	if err != nil {
		return nil, err
	}
	if p.Quorum() == "none" {
		return nil, errors.New("its quorum is none: leave it out if nobody is to be asked")
	}
	if len(p.Logs()) > 0 {
		return p, nil
	}
	return verify.ParsePolicy(append([]byte("log "+strings.Join(vkeys, "\nlog ")+"\n"), file...))
}
