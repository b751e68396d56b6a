package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/docket-ledger/docket/cmd/internal/cli"
)

// keyboard returns the terminal at which a person can be asked, or nil.
func keyboard(std cli.Streams) *os.File {
	if in, ok := std.In.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
		return in
	}
	return nil
}

// ask prints a prompt and returns what read returns, or, once ctx ends, its
// error: the terminal is then as it was before.
func ask[T any](ctx context.Context, in *os.File, prompt string, std cli.Streams, read func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return none, err
	}
	fmt.Fprint(std.Err, prompt)
	answered := make(chan answer, 1)
	go func() {
		v, err := read()
		answered <- answer{v, err}
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
		fmt.Fprintln(std.Err)
		return none, errors.Join(ctx.Err(), term.Restore(int(in.Fd()), before))
	}
}

// askSecret asks for a passphrase, without echo.
func askSecret(ctx context.Context, in *os.File, prompt string, std cli.Streams) ([]byte, error) {
	return ask(ctx, in, prompt, std, func() ([]byte, error) {
		secret, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(std.Err)
		return secret, err
	})
}

// errNotSigned is what the user chose.
var errNotSigned = errors.New("not signed")

// confirm asks whether to sign.
func confirm(ctx context.Context, std cli.Streams) error {
	in := keyboard(std)
	if in == nil {
		return cli.Usage(errors.New("there is no terminal to ask at: --yes is missing"))
	}
	answer, err := ask(ctx, in, "Sign this? [y/N] ", std, func() (string, error) { return bufio.NewReader(in).ReadString('\n') })
	if err != nil {
		return fmt.Errorf("%w: %w", errNotSigned, err)
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errNotSigned
	}
	return nil
}
