package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/cmd/internal/cli"
)

// TestEveryCommand asks each command for help, and gives it a flag that it does
// not have.
func TestEveryCommand(t *testing.T) {
	for _, c := range program.Commands {
		for arg, want := range map[string]int{"-h": 0, "--no-such-flag": 2} {
			var out bytes.Buffer
			err := run(context.Background(), append(strings.Fields(c.Name), arg), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out})
			if code := cli.Code(err); code != want {
				t.Errorf("docket %s %s: exit code %d (%v), want %d", c.Name, arg, code, err, want)
			}
			if want == 0 && !strings.Contains(out.String(), "Example:\n  ") {
				t.Errorf("docket %s -h shows no example:\n%s", c.Name, out.String())
			}
		}
	}
}
