//go:build peers

package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestPeerFollows lets Tessera's client follow a site that follows a growing log,
// and Tessera's fsck read the log, the copy and the served copy.
func TestPeerFollows(t *testing.T) {
	o := newOperator(t)
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "peers"), ".")
	build.Dir = "testdata/peers"
	peer(t, build)
	install := exec.Command("go", "install", "github.com/transparency-dev/tessera/cmd/fsck@v1.0.4")
	install.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=")
	peer(t, install)

	var now atomic.Pointer[http.Handler]
	show := func(size int) {
		h := http.FileServerFS(os.DirFS(o.log(size, "")))
		now.Store(&h)
	}
	show(0)
	log := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*now.Load()).ServeHTTP(w, r) }))
	defer log.Close()
	dir := filepath.Join(t.TempDir(), "mirror")
	site, _ := startSite(t, dir, "--from", log.URL, "--every", "1s", "--policy", o.policy)
	vkey := vkeyOf(t, o.policy)
	client := exec.Command(filepath.Join(bin, "peers"), site, vkey)
	client.Stderr = os.Stderr
	in, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	told := bufio.NewReader(out)
	for _, size := range []int{0, 1, 255, 256, 257, 600, 65537} {
		show(size)
		until(t, func() bool {
			_, body := get(t, site+"/checkpoint")
			return strings.Contains(body, fmt.Sprintf("\n%d\n", size))
		})
		if _, err := io.WriteString(in, "\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := told.ReadString('\n'); err != nil || line != fmt.Sprintf("%d\n", size) {
			t.Fatalf("at size %d Tessera's client says %q, %v", size, line, err)
		}
	}
	in.Close()
	if err := client.Wait(); err != nil {
		t.Error(err)
	}
	key := filepath.Join(bin, "log.vkey")
	if err := os.WriteFile(key, []byte(vkey+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{log.URL + "/", "file://" + dir + "/", site + "/"} {
		out := peer(t, exec.Command(filepath.Join(bin, "fsck"), "--storage_url="+url, "--public_key="+key, "--ui=false"))
		if !strings.Contains(out, "Successfully fsck'd") {
			t.Errorf("fsck of %s says:\n%s", url, out)
		}
	}
}

func vkeyOf(t *testing.T, policy string) string {
	t.Helper()
	b, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimPrefix(first, "log ")
}

func peer(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}
