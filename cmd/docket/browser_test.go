//go:build browser

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
)

// The scripts that drive Chromium, in the order of their tests. Each is given the
// URL of a server, and ends with 1 if one of its checks failed.
const scripts = "testdata/browser"

// TestBrowser shows the site of the demonstration to a real Chromium. It needs
// what .ci/run installs: Debian's package chromium, and the packages of
// testdata/browser/package-lock.json.
func TestBrowser(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	url := demonstration(t, dir)
	for _, name := range []string{"pages", "keyboard", "modes", "bad", "verify"} {
		t.Run(name, func(t *testing.T) { browse(t, name, url, "DEMO="+dir) })
	}
}

// TestScreenshots writes a picture of each page, at each width, light and dark,
// into the folder that the environment names in SCREENSHOTS, for eyes.
func TestScreenshots(t *testing.T) {
	if os.Getenv("SCREENSHOTS") == "" {
		t.Skip("SCREENSHOTS names no folder")
	}
	dir := filepath.Join(t.TempDir(), "demo")
	browse(t, "screenshots", demonstration(t, dir), "DEMO="+dir)
}

// demonstration runs docket demo in dir until the test ends, and returns the URL
// of its server.
func demonstration(t *testing.T, dir string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"demo", "--dir", dir, "--listen", "127.0.0.1:0"}, cli.Streams{In: strings.NewReader(""), Out: in, Err: in})
		ended <- err
		in.CloseWithError(io.EOF)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("docket demo: %v", err)
		}
	})
	serving := regexp.MustCompile(`^Serving it at (http://\S+)`)
	var told []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		told = append(told, lines.Text())
		if m := serving.FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, out) // what follows are hints
			return m[1]
		}
	}
	t.Fatalf("docket demo does not serve:\n%s", strings.Join(told, "\n"))
	return ""
}

// browse runs a script against a server and shows what it says.
func browse(t *testing.T, name, url string, env ...string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(scripts, "node_modules", "playwright-core")); err != nil {
		t.Fatalf("%v: run npm ci in cmd/docket/%s", err, scripts)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", name+".mjs", url)
	cmd.Dir = scripts
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = 5 * time.Second
	start := time.Now()
	said, err := cmd.CombinedOutput()
	fmt.Printf("-- %s: %.1f s\n%s", name, time.Since(start).Seconds(), said)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
}
