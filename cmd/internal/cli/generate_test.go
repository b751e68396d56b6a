package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/cmd/internal/cli"
)

// sample is a program with commands of one and of two words.
func sample() cli.Program {
	command := func(name string) cli.Command {
		return cli.Command{Name: name, Short: "does it's thing - " + name, Run: func(_ context.Context, args []string, _ cli.Streams) error {
			flags := cli.Flags("sample " + name)
			flags.String("key", "", "`file` with a key")
			flags.Bool("json", false, "print JSON")
			return flags.ParseArgs(args, 0, 1, "FILE", "sample "+name+" --json file")
		}}
	}
	return cli.Program{Name: "sample", About: "is a sample.", Example: "sample key new",
		Commands: []cli.Command{command("key new"), command("key show"), command("sign")}}
}

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, errs bytes.Buffer
	err := sample().Run(context.Background(), args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	return out.String(), err
}

// TestCompletionOthers: zsh and fish name every command and flag; other shells
// are refused.
func TestCompletionOthers(t *testing.T) {
	for _, shell := range []string{"zsh", "fish"} {
		out, err := run(t, "completion", shell)
		if err != nil || !strings.Contains(out, "show") || !strings.Contains(out, "json") || !strings.Contains(out, "sign") {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
	if _, err := run(t, "completion", "fisch"); cli.Code(err) != 2 || !strings.Contains(err.Error(), "fish") {
		t.Errorf("fisch: %v", err)
	}
	if _, err := run(t, "completion"); cli.Code(err) != 2 {
		t.Errorf("no shell: %v", err)
	}
}

// TestMan: a page for each command, with its flags and example.
func TestMan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	if _, err := run(t, "man", dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"sample.1":         {".TH SAMPLE 1", ".B sample key new", "0 holds"},
		"sample-key-new.1": {".B sample key new", `.B \-\-key FILE`, "file with a key", `sample key new \-\-json file`},
		"sample-sign.1":    {`does it's thing \- sign`},
	} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, w := range want {
			if !strings.Contains(string(b), w) {
				t.Errorf("%s has no %q:\n%s", name, w, b)
			}
		}
	}
}
