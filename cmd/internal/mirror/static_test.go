package mirror_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/cmd/internal/mirror"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
)

// These tests copy logs of anything, which no rules know.

// An operator has a log key.
type operator struct {
	t      *testing.T
	signer note.Signer
	policy *verify.Policy
}

func newOperator(t *testing.T, origin string) *operator {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	p, err := verify.ParsePolicy([]byte("log " + vkey + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	return &operator{t, signer, p}
}

// files returns a log of some size. From an entry on, those of another history
// are other ones.
func (o *operator) files(size, from int64) *source {
	o.t.Helper()
	entries := make([][]byte, size)
	for i := range entries {
		entries[i] = binary.BigEndian.AppendUint64(nil, uint64(i))
		if int64(i) >= from {
			entries[i] = append(entries[i], "other"...)
		}
	}
	files, err := ledgertest.StaticLog(o.signer, entries)
	if err != nil {
		o.t.Fatal(err)
	}
	return &source{files: files}
}

const never = 1 << 40

// same checks that a folder has exactly the files of a log, those named, and
// partial tiles of before where the tile is not full.
func same(t *testing.T, dir string, src *source, also ...string) {
	t.Helper()
	got := names(t, dir)
	narrower := func(name string) bool {
		id, err := tile.ParsePath(name)
		return err == nil && id.Width < tile.FullWidth && src.files[id.Full().Path()] == nil
	}
	for path, want := range src.files {
		if b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path))); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s is not that of the log (%v)", path, err)
		}
	}
	for _, name := range got {
		if src.files[name] == nil && name != ".lock" && name != ".verified" && !narrower(name) && !slices.Contains(also, name) {
			t.Errorf("%s is left", name)
		}
	}
	for _, name := range also {
		if !slices.Contains(got, name) {
			t.Errorf("%s is gone", name)
		}
	}
}

func TestSizes(t *testing.T) {
	o := newOperator(t, "static.example/log")
	dir := filepath.Join(t.TempDir(), "deep", "mirror")
	before := int64(0)
	for _, size := range []int64{0, 1, 2, 255, 256, 257, 511, 512, 513, 65537} {
		src := o.files(size, never)
		res, err := sync1(src, o.policy, dir)
		if err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		if res.Before != before || res.Files != int64(len(src.files)-1) || res.Signed.Checkpoint.Size != size {
			t.Errorf("size %d after %d: %+v", size, before, res)
		}
		same(t, dir, src)
		before = size
	}
}

// TestForeign: a folder of something else is left alone, and so is what lies
// beside the files of a mirror.
func TestForeign(t *testing.T) {
	o, stranger := newOperator(t, "static.example/log"), newOperator(t, "other.example/log")
	src := o.files(300, never)
	theirs := stranger.files(20, never)
	tiles := &source{files: map[string][]byte{}}
	for path, b := range theirs.files {
		if path != "checkpoint" {
			tiles.files[path] = b
		}
	}
	for name, test := range map[string]*source{
		"a thesis":                     {files: map[string][]byte{"thesis.txt": []byte("mine")}},
		"another log":                  theirs,
		"another log's tiles":          tiles,
		"tiles of this, nobody's copy": {files: map[string][]byte{"tile/0/000": src.files["tile/0/000"]}},
		"no checkpoint at all":         {files: map[string][]byte{"checkpoint": []byte("static.example/log\n1\nAAAA\n\n")}},
		"an empty checkpoint":          {files: map[string][]byte{"checkpoint": {}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, test.files)
			if _, err := sync1(src, o.policy, dir); !errors.Is(err, mirror.ErrForeign) {
				t.Errorf("%v, want that it is foreign", err)
			}
			same(t, dir, test)
		})
	}
	dir := t.TempDir()
	if _, err := sync1(o.files(270, never), o.policy, dir); err != nil {
		t.Fatal(err)
	}
	beside := map[string][]byte{"index.html": nil, "tile/entries/001.p/readme": nil, "tile/0/001.p/014": nil, ".next.txt": nil}
	put(t, dir, beside)
	if _, err := sync1(src, o.policy, dir); err != nil {
		t.Error(err)
	}
	same(t, dir, src, "index.html", "tile/entries/001.p/readme", "tile/0/001.p/014", ".next.txt")
}

func put(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, b := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestInterrupted stops a copy after each number of reads. What the log signed
// then is not forgotten, though it never became the checkpoint of the mirror.
func TestInterrupted(t *testing.T) {
	o := newOperator(t, "static.example/log")
	for stop := 2; ; stop++ {
		dir := filepath.Join(t.TempDir(), "mirror")
		if _, err := sync1(o.files(100, never), o.policy, dir); err != nil {
			t.Fatal(err)
		}
		src := o.files(600, never)
		ctx, cancel := context.WithCancel(context.Background())
		src.lie = func(_ string, b []byte) ([]byte, error) {
			if src.reads == stop {
				cancel()
				return nil, ctx.Err()
			}
			return b, nil
		}
		_, err := mirror.Sync(ctx, mirror.Config{Source: src, Policies: []*verify.Policy{o.policy}, Dir: dir, Parallel: 1})
		cancel()
		if err == nil {
			if stop < 10 {
				t.Errorf("it was stopped %d times only", stop)
			}
			break
		}
		if b, err := os.ReadFile(filepath.Join(dir, "checkpoint")); err != nil || !bytes.Equal(b, o.files(100, never).files["checkpoint"]) {
			t.Errorf("stopped at read %d: the checkpoint has changed (%v)", stop, err)
		}
		if _, err := os.Stat(filepath.Join(dir, ".next")); err == nil { // it had begun
			var fork *verify.ForkError
			if _, err := sync1(o.files(700, 500), o.policy, dir); !errors.As(err, &fork) || fork.Old.Size != 600 || fork.Check() != nil {
				t.Errorf("stopped at read %d: fork: %v", stop, err)
			}
			if _, err := sync1(o.files(400, never), o.policy, dir); !errors.Is(err, mirror.ErrSmaller) {
				t.Errorf("stopped at read %d: smaller: %v", stop, err)
			}
		}
		end := o.files(700, never)
		if _, err := sync1(end, o.policy, dir); err != nil {
			t.Errorf("stopped at read %d: %v", stop, err)
		}
		same(t, dir, end)
	}
}

// TestAllDamaged: each file that went bad is asked for, and no more.
func TestAllDamaged(t *testing.T) {
	o := newOperator(t, "static.example/log")
	src := o.files(256*20+7, never)
	dir := filepath.Join(t.TempDir(), "mirror")
	if _, err := sync1(src, o.policy, dir); err != nil {
		t.Fatal(err)
	}
	for path, b := range src.files {
		if path != "checkpoint" {
			bad := bytes.Clone(b)
			bad[len(bad)/2] ^= 1
			put(t, dir, map[string][]byte{path: bad})
		}
	}
	src.reads = 0
	res, err := sync1(src, o.policy, dir)
	if err != nil || res.Fetched != res.Files || src.reads > 4*len(src.files) {
		t.Errorf("%+v, %v, %d reads of %d files", res, err, src.reads, len(src.files))
	}
	same(t, dir, src)
}

// TestDisk: what can't be written is told, the mirror stays what it was, and the
// copy goes on once there is room.
func TestDisk(t *testing.T) {
	o := newOperator(t, "static.example/log")
	for _, inTheWay := range []string{"tile/0/001.p", "tile/1", "tile/entries/001.p", "tile/entries/001.p/44/x", ".tmp"} {
		t.Run(inTheWay, func(t *testing.T) {
			old, src := o.files(100, never), o.files(300, never)
			dir := filepath.Join(t.TempDir(), "mirror")
			if _, err := sync1(old, o.policy, dir); err != nil {
				t.Fatal(err)
			}
			put(t, dir, map[string][]byte{inTheWay: nil})
			_, err := sync1(src, o.policy, dir)
			if inTheWay == ".tmp" { // is ours
				if err != nil {
					t.Error(err)
				}
				return
			}
			var path *os.PathError
			var link *os.LinkError
			if !errors.As(err, &path) && !errors.As(err, &link) {
				t.Errorf("%v, want one of the disk", err)
			}
			for path, want := range old.files {
				if b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path))); err != nil || !bytes.Equal(b, want) {
					t.Errorf("%s of the old tree is gone: %v", path, err)
				}
			}
			if err := os.RemoveAll(filepath.Join(dir, strings.TrimSuffix(inTheWay, "/x"))); err != nil {
				t.Fatal(err)
			}
			if _, err := sync1(src, o.policy, dir); err != nil {
				t.Fatal(err)
			}
			same(t, dir, src)
		})
	}
	file := filepath.Join(t.TempDir(), "file")
	put(t, filepath.Dir(file), map[string][]byte{"file": nil})
	for _, dir := range []string{file, filepath.Join(file, "mirror")} {
		if _, err := sync1(o.files(3, never), o.policy, dir); err == nil {
			t.Errorf("copied into %s", dir)
		}
	}
}

// TestOneWriter: while one copies, another one is refused, and afterwards not.
func TestOneWriter(t *testing.T) {
	o := newOperator(t, "static.example/log")
	src := o.files(300, never)
	dir := filepath.Join(t.TempDir(), "mirror")
	reached, leave := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(reached); <-leave })
	slow := &source{files: src.files, lie: func(path string, b []byte) ([]byte, error) {
		if path != "checkpoint" {
			once()
		}
		return b, nil
	}}
	ended := make(chan error)
	go func() {
		_, err := sync1(slow, o.policy, dir)
		ended <- err
	}()
	<-reached
	if _, err := sync1(src, o.policy, dir); err == nil || !strings.Contains(err.Error(), "another docket-mirror") {
		t.Errorf("a second writer: %v", err)
	}
	close(leave)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := sync1(src, o.policy, dir); err != nil {
		t.Error(err)
	}
	same(t, dir, src)
}

// TestAhead: what another copier did since this one asked is no reason to
// accuse the log.
func TestAhead(t *testing.T) {
	o := newOperator(t, "static.example/log")
	dir := filepath.Join(t.TempDir(), "mirror")
	src := o.files(200, never)
	if _, err := sync1(src, o.policy, dir); err != nil {
		t.Fatal(err)
	}
	old, asked := o.files(100, never), 0
	src.lie = func(path string, b []byte) ([]byte, error) {
		if path == "checkpoint" {
			if asked++; asked == 1 {
				return old.files["checkpoint"], nil
			}
		}
		return b, nil
	}
	if res, err := sync1(src, o.policy, dir); err != nil || res.Signed.Checkpoint.Size != 200 {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestMonster: a log may sign any size. That is not counted entry by entry, and
// it must show the files.
func TestMonster(t *testing.T) {
	o := newOperator(t, "static.example/log")
	cp := verify.Checkpoint{Origin: o.signer.Name(), Size: verify.MaxSize, Root: tlog.Hash{1}}
	signed, err := cp.Sign(o.signer)
	if err != nil {
		t.Fatal(err)
	}
	src := &source{files: map[string][]byte{"checkpoint": signed}}
	edge := tile.ID{Level: 0, N: verify.MaxSize / tile.FullWidth, Width: 255}
	src.files[edge.Path()] = make([]byte, 255*tlog.HashSize)
	dir := filepath.Join(t.TempDir(), "mirror")
	if _, err := sync1(src, o.policy, dir); err == nil {
		t.Error("copied")
	}
	for _, name := range names(t, dir) {
		if id, err := tile.ParsePath(name); err == nil {
			t.Errorf("there is %v", id)
		}
	}
}
