//go:build peers

package demo_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
)

// TestPeers gives what the demonstration leaves to programs of others.
func TestPeers(t *testing.T) {
	dir, _ := once(t)
	t.Run("formats", func(t *testing.T) {
		cmd := exec.Command("go", "run", ".", dir)
		cmd.Dir = "testdata/peers"
		runPeer(t, cmd)
	})
	fsck := filepath.Join(t.TempDir(), "fsck")
	install := exec.Command("go", "install", "github.com/transparency-dev/tessera/cmd/fsck@v1.0.4")
	install.Env = append(os.Environ(), "GOBIN="+filepath.Dir(fsck), "GOFLAGS=")
	runPeer(t, install)
	check := func(url string) func(*testing.T) {
		return func(t *testing.T) {
			out := runPeer(t, exec.Command(fsck, "--storage_url="+url, "--public_key="+filepath.Join(dir, "log.vkey"), "--ui=false"))
			if !strings.Contains(out, "Successfully fsck'd") {
				t.Errorf("fsck says:\n%s", out)
			}
		}
	}
	t.Run("fsck of the mirror", check("file://"+filepath.Join(dir, "mirror")+"/"))
	d, err := datadir.Open(t.Context(), filepath.Join(dir, "ledger"), datadir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	server := httptest.NewServer(api.New(d.Ledger, api.Options{}))
	defer server.Close()
	t.Run("fsck over HTTP", check(server.URL+"/"))
}

func runPeer(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}
