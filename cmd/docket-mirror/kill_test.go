package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
)

// An operator has a log key, and a file with the trust policy that names it.
type operator struct {
	t      *testing.T
	signer note.Signer
	policy string
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, "static.example/log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	policy := filepath.Join(t.TempDir(), "trust.policy")
	if err := os.WriteFile(policy, []byte("log "+vkey+"\nquorum none\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return &operator{t, signer, policy}
}

// log makes the folder of a log of some size, which other histories share
// nothing with.
func (o *operator) log(size int, history string) string {
	o.t.Helper()
	entries := make([][]byte, size)
	for i := range entries {
		entries[i] = fmt.Appendf(nil, "%s %d", history, i)
	}
	files, err := ledgertest.StaticLog(o.signer, entries)
	if err != nil {
		o.t.Fatal(err)
	}
	dir := o.t.TempDir()
	for name, b := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			o.t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			o.t.Fatal(err)
		}
	}
	return dir
}

// command is the program as a process of its own.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// serve serves the files of a log, each after a moment.
func serve(t *testing.T, files fs.FS) string {
	t.Helper()
	static := http.FileServerFS(files)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Duration(rand.IntN(6)) * time.Millisecond)
		static.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// killed runs the program and kills it after a while, and reports whether it was
// quicker.
func killed(t *testing.T, after time.Duration, args ...string) bool {
	t.Helper()
	cmd := command(args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	return cmd.Wait() != nil
}

// sound checks that whatever has a name is a file of one of the logs, and that a
// checkpoint has all that belongs to it.
func sound(t *testing.T, dir string, logs ...fs.FS) {
	t.Helper()
	read := func(of fs.FS, name string) []byte {
		b, _ := fs.ReadFile(of, name) // nil is like no other file
		return b
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return // killed before it began
	}
	mirror := os.DirFS(dir)
	whole := false
	for _, log := range logs {
		if cp := read(mirror, "checkpoint"); cp == nil || !bytes.Equal(cp, read(log, "checkpoint")) {
			continue
		}
		whole = true
		err := fs.WalkDir(log, "tile", func(name string, d fs.DirEntry, err error) error {
			if name == "tile" && errors.Is(err, fs.ErrNotExist) {
				return nil // the empty log has none
			}
			if err == nil && !d.IsDir() && !bytes.Equal(read(mirror, name), read(log, name)) {
				t.Errorf("there is a checkpoint, and %s is not there", name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !whole && read(mirror, "checkpoint") != nil {
		t.Error("the checkpoint is not one of the log")
	}
	err := fs.WalkDir(mirror, ".", func(name string, d fs.DirEntry, err error) error {
		if _, parseErr := tile.ParsePath(name); parseErr != nil || err != nil || d.IsDir() {
			return err
		}
		for _, log := range logs {
			if bytes.Equal(read(mirror, name), read(log, name)) {
				return nil
			}
		}
		t.Errorf("%s has a name and is not a file of the log", name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestKill kills the program at random moments, again and again, while the log
// grows: nothing that has a name is wrong, and in the end the mirror is whole.
func TestKill(t *testing.T) {
	o := newOperator(t)
	dir := filepath.Join(t.TempDir(), "mirror")
	var logs []fs.FS
	kills := 0
	for _, size := range []int{100, 256, 600, 3000} {
		log := o.log(size, "")
		logs = append(logs, os.DirFS(log))
		url := serve(t, os.DirFS(log))
		for try := range 10 {
			if !killed(t, time.Duration(5+rand.IntN(15+5*try))*time.Millisecond, "sync", "--policy", o.policy, "--parallel", "2", url, dir) {
				break
			}
			kills++
			sound(t, dir, logs...)
		}
		if out, err := command("sync", "--policy", o.policy, url, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		sound(t, dir, logs...)
		if _, err := os.Stat(filepath.Join(dir, ".tmp")); err == nil {
			t.Error("something without a name is left")
		}
	}
	if kills < 4 {
		t.Errorf("it was killed %d times only", kills)
	}
}

// TestKillHistory: a copy that was interrupted anywhere passes the audit in the
// end.
func TestKillHistory(t *testing.T) {
	url := serve(t, os.DirFS(filepath.Join(history, "log")))
	dir := filepath.Join(t.TempDir(), "mirror")
	args := []string{"sync", "--policy", filepath.Join(history, "trust.policy"), url, dir}
	for try := range 5 {
		killed(t, time.Duration(10+5*try)*time.Millisecond, args...)
	}
	if out, err := command(args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(history, "trust.policy"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := verify.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := verify.Audit(context.Background(), verify.DirSource(os.DirFS(dir)), p, verify.AuditOptions{})
	if err != nil || sum.Broken > 0 || sum.Entries != 322 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// TestUmask: a web server can read the mirror, whatever the umask.
func TestUmask(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mirror")
	cmd := exec.Command("sh", "-c", `umask 077; exec "$0" "$@"`, os.Args[0],
		"sync", "--policy", filepath.Join(history, "trust.policy"), filepath.Join(history, "log"), dir)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o644)
		if d.IsDir() {
			want = 0o755
		}
		if d.Name() != ".lock" && info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
