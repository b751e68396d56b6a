package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/cmd/internal/cli"
)

func program(got *[]string) cli.Program {
	run := func(_ context.Context, args []string, std cli.Streams) error {
		flags := cli.Flags("prog key new")
		out := flags.String("out", "", "write to `file`")
		yes := flags.Bool("yes", false, "don't ask")
		if err := flags.ParseArgs(args, 1, 2, "NAME...", "prog key new --out F me"); err != nil {
			return err
		}
		if err := flags.Require("out"); err != nil {
			return err
		}
		*got = append(flags.Args(), *out, fmt.Sprint(*yes))
		return nil
	}
	return cli.Program{Name: "prog", About: "A program.", Example: "prog key new --out F me",
		Commands: []cli.Command{{Name: "key new", Short: "makes a key", Run: run}, {Name: "show", Short: "shows", Run: run}}}
}

func TestRun(t *testing.T) {
	for _, test := range []struct {
		args     string
		code     int
		got      []string // arguments, --out, --yes
		out, err string   // what stdout, and stderr or the error, contain
	}{
		{"key new --out f me", 0, []string{"me", "f", "false"}, "", ""},
		{"key new me --out f --yes", 0, []string{"me", "f", "true"}, "", ""},
		{"show me --out=f -yes you", 0, []string{"me", "you", "f", "true"}, "", ""},
		{"show --out f -- --yes", 0, []string{"--yes", "f", "false"}, "", ""},
		{"", 2, nil, "", "key new"},
		{"-h", 0, nil, "Exit codes", ""},
		{"help", 0, nil, "prog key new", ""},
		{"help show", 0, nil, "--out FILE", ""},
		{"key new -h", 0, nil, "Example:\n  prog key new --out F me", ""},
		{"shw", 2, nil, "", `did you mean "show"?`},
		{"key", 2, nil, "", "want key new"},
		{"show", 2, nil, "", "NAME is missing"},
		{"show me", 2, nil, "", "--out is missing"},
		{"show a b c --out f", 2, nil, "", `unexpected argument "c"`},
		{"show --otu f me", 2, nil, "", `unknown flag --otu; did you mean "out"?`},
	} {
		var got []string
		var out, errs bytes.Buffer
		err := program(&got).Run(context.Background(), strings.Fields(test.args), cli.Streams{Out: &out, Err: &errs})
		if code := cli.Code(err); code != test.code {
			t.Errorf("%q: exit code %d (%v), want %d", test.args, code, err, test.code)
		}
		if !slices.Equal(got, test.got) {
			t.Errorf("%q: got %q, want %q", test.args, got, test.got)
		}
		if !strings.Contains(out.String(), test.out) || test.out == "" && out.Len() > 0 {
			t.Errorf("%q: stdout %q, want %q", test.args, out.String(), test.out)
		}
		if said := errs.String() + fmt.Sprint(err); !strings.Contains(said, test.err) {
			t.Errorf("%q: said %q, want %q", test.args, said, test.err)
		}
	}
}

func TestCode(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{nil, 0}, {errors.New("no"), 1}, {cli.DoesNotHold(), 1}, {cli.Usage(errors.New("how")), 2},
		{fmt.Errorf("wrapped: %w", cli.Unknown(errors.New("away"))), 3}, {context.Canceled, 3},
	} {
		if got := cli.Code(test.err); got != test.want {
			t.Errorf("Code(%v) = %d, want %d", test.err, got, test.want)
		}
	}
}
