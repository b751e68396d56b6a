package main

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/docket-ledger/docket/verify/tile"
)

// TestKillFollow kills a program that follows a growing log.
func TestKillFollow(t *testing.T) { killFollow(t, 20) }

// killFollow kills docket-mirror sync --follow and serve --from at random moments
// over a log that grows meanwhile: what has a name is always right, and in the end
// the copy is the log.
func killFollow(t *testing.T, kills int) {
	o := newOperator(t)
	var logs []fs.FS
	for size := 0; len(logs) < 20; size += 1 + rand.IntN(300) {
		logs = append(logs, os.DirFS(o.log(size, "")))
	}
	var mu sync.Mutex
	now := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Duration(rand.IntN(6)) * time.Millisecond)
		mu.Lock()
		log := logs[now]
		mu.Unlock()
		if id, err := tile.ParsePath(r.URL.Path[1:]); err == nil && id.Width < tile.FullWidth {
			for _, log := range logs { // a log keeps the partial tiles of each size that it showed
				if b, err := fs.ReadFile(log, id.Path()); err == nil {
					w.Write(b)
					return
				}
			}
		}
		http.FileServerFS(log).ServeHTTP(w, r)
	}))
	defer server.Close()
	dir := filepath.Join(t.TempDir(), "mirror")
	sync := []string{"sync", "--policy", o.policy, "--parallel", "2", server.URL, dir}
	for kill := range kills {
		args := append([]string{"sync", "--follow", "--every", "1s"}, sync[1:]...)
		if kill%4 == 3 {
			args = []string{"serve", "--listen", "127.0.0.1:0", "--policy", o.policy, "--from", server.URL, dir}
		}
		if !killed(t, time.Duration(20+rand.IntN(150))*time.Millisecond, args...) {
			t.Fatalf("%v has ended by itself", args)
		}
		mu.Lock()
		shown := logs[:now+1]
		now = min(len(logs)-1, 1+kill*len(logs)/kills)
		mu.Unlock()
		sound(t, dir, shown...)
		if kill%5 == 4 { // and once to its end
			if code, _, err := run(t.Context(), sync...); code != 0 {
				t.Fatal(err)
			}
		}
	}
	mu.Lock()
	now = len(logs) - 1
	mu.Unlock()
	for range 2 {
		if code, _, err := run(t.Context(), sync...); code != 0 {
			t.Fatal(err)
		}
	}
	sound(t, dir, logs...)
	want, err := fs.ReadFile(logs[now], "checkpoint")
	got, gotErr := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil || gotErr != nil || !bytes.Equal(got, want) {
		t.Errorf("in the end: %q, want %q (%v, %v)", got, want, err, gotErr)
	}
	if code, out, err := run(t.Context(), append(sync, "--check", "--json")...); code != 0 || !bytes.Contains([]byte(out), []byte(`"fetched":0`)) {
		t.Errorf("the copy was not whole: %s %v", out, err)
	}
}
