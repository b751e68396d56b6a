package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/docket-ledger/docket/verify/telling"
)

// text asks for a long text: in the editor that $VISUAL or $EDITOR names, else
// line by line. A text without words cancels the walk.
func (w *walk) text(ctx context.Context, q *question) (any, error) {
	read := w.lines
	if editor := cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR")); editor != "" {
		read = func(ctx context.Context, q *question) (string, error) { return w.edit(ctx, editor, q) }
	}
	text, err := read(ctx, q)
	if err != nil {
		return nil, err
	}
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	if text == "" {
		return nil, fmt.Errorf("nothing was written for %s: cancelled", q.member)
	}
	return text, nil
}

// lines reads lines until one that is a full stop.
func (w *walk) lines(ctx context.Context, q *question) (string, error) {
	w.say("Neither $VISUAL nor $EDITOR is set: write it here, and end with a line that is a single full stop.")
	var text strings.Builder
	for prompt := q.member + "> "; ; prompt = "" {
		line, err := w.rawLine(ctx, prompt)
		if err != nil {
			return "", err
		}
		if strings.TrimSpace(line) == "." {
			return text.String(), nil
		}
		text.WriteString(strings.TrimRight(line, " \t\r\n") + "\n")
	}
}

// edit lets an editor write a file that nobody else may read, and removes it. If
// the editor fails after something was written, the file stays.
func (w *walk) edit(ctx context.Context, editor string, q *question) (string, error) {
	f, err := os.CreateTemp("", "docket-"+q.member+"-*.txt") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(w.template(q))
	if err := errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	w.say("docket: %s writes the %s", editor, q.member)
	// As git does it: what the variable says may have arguments.
	cmd := exec.Command("sh", "-c", editor+` "$1"`, editor, f.Name())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = w.in, w.std.Out, w.std.Err
	failed := cmd.Run() // Ctrl-C is the editor's own
	if failed != nil {
		failed = fmt.Errorf("the editor %s: %w", editor, failed)
	}
	b, err := os.ReadFile(f.Name())
	if errors.Is(err, fs.ErrNotExist) { // as if it were empty
		return "", failed
	}
	text := withoutComments(string(b))
	if failed != nil && text != "" {
		return "", fmt.Errorf("%w; what it wrote is in %s", failed, f.Name())
	}
	return text, errors.Join(failed, err, os.Remove(f.Name()))
}

// template is what the editor opens.
func (w *walk) template(q *question) string {
	about := []string{q.prompt, "It is public, and can never be removed from the log.",
		"Lines that begin with # are left out. Without any other line all is cancelled.", ""}
	for _, member := range []string{"case", "service_layer", "action", "subject/name"} {
		if v := getText(w.value, member); v != "" {
			about = append(about, member+": "+telling.Plain(v))
		}
	}
	return "\n# " + strings.Join(about, "\n# ") + "\n"
}

// withoutComments returns the text of a file, without comment lines and without
// empty lines around it.
func withoutComments(s string) string {
	var text strings.Builder
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(line, "#") {
			text.WriteString(line)
		}
	}
	return strings.TrimSpace(text.String())
}
