//go:build peers

package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPeerBash lets a real bash complete.
func TestPeerBash(t *testing.T) {
	script, err := run(t, "completion", "bash")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sample.bash")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatalf("no bash: %v", err)
	}
	for line, want := range map[string]string{
		"sample ":               "key sign completion man help",
		"sample si":             "sign",
		"sample key ":           "new show",
		"sample key sh":         "show",
		"sample key new --":     "--json --key",
		"sample sign --j":       "--json",
		"sample key new x --ke": "--key",
	} {
		words := strings.Split(line, " ")
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, "'"+w+"'")
		}
		cmd := exec.Command(bash, "--norc", "-c", "cd / && . "+file+"; COMP_WORDS=("+strings.Join(quoted, " ")+
			"); COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); compgen() { if [ \"$1\" = -f ]; then :; else builtin compgen \"$@\"; fi; }; _sample; echo \"${COMPREPLY[*]}\"")
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q completes to %q, %v; want %q", line, got, err, want)
		}
	}
}
