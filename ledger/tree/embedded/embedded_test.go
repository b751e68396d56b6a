package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
	"github.com/docket-ledger/docket/ledger/tree/treetest"
)

// open opens a log with a small cache.
func open(t testing.TB, cfg embedded.Config) *embedded.Log {
	t.Helper()
	cfg.Cache = pebble.NewCache(8 << 20)
	defer cfg.Cache.Unref()
	log, err := embedded.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// TestSuite runs both parts of treetest, in memory and on the real disk.
func TestSuite(t *testing.T) {
	memory := vfs.NewMem()
	for name, opener := range map[string]treetest.Open{
		"memory": func(t testing.TB, name string) tree.Log { return open(t, embedded.Config{Dir: name, FS: memory}) },
		"disk":   func(t testing.TB, name string) tree.Log { return open(t, embedded.Config{Dir: name}) },
	} {
		t.Run(name, func(t *testing.T) {
			treetest.Run(t, opener)
			treetest.RunOrdered(t, opener)
		})
	}
}

// leaf returns a leaf and its hash.
func leaf(format string, args ...any) ([]byte, tlog.Hash) {
	b := fmt.Appendf(nil, format, args...)
	return b, tlog.RecordHash(b)
}

// TestEmptyLeaf appends a leaf of no bytes.
func TestEmptyLeaf(t *testing.T) {
	log := open(t, embedded.Config{Dir: "log", FS: vfs.NewMem()})
	defer log.Close()
	if at, err := log.Append(t.Context(), [][]byte{{}}); err != nil || len(at) != 1 || at[0] != 0 {
		t.Fatalf("Append: %v, %v", at, err)
	}
	if got, err := log.Leaves(t.Context(), 0, 1); err != nil || len(got[0]) != 0 {
		t.Errorf("Leaves: %q, %v", got, err)
	}
}

// TestInUse opens a log twice in this process, under every name of it, and in
// another process.
func TestInUse(t *testing.T) {
	if dir := os.Getenv("DOCKET_TEST_OPEN"); dir != "" { // the other process
		log, err := embedded.Open(t.Context(), embedded.Config{Dir: dir})
		if err == nil {
			t.Fatal(errors.Join(errors.New("opened"), log.Close()))
		}
		if !errors.Is(err, tree.ErrInUse) {
			t.Fatalf("%v is not ErrInUse", err)
		}
		return
	}
	dir := filepath.Join(t.TempDir(), "log")
	log := open(t, embedded.Config{Dir: dir})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(dir))
	other := func() {
		t.Helper()
		cmd := exec.Command(os.Args[0], "-test.run", "^TestInUse$", "-test.count", "1")
		cmd.Env = append(os.Environ(), "DOCKET_TEST_OPEN="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("another process: %v\n%s", err, out)
		}
	}
	other()
	for _, name := range []string{dir, dir + "/", "log", "./log", link} {
		second, err := embedded.Open(t.Context(), embedded.Config{Dir: name})
		if err == nil {
			t.Errorf("%s was opened twice", name)
			second.Close()
		} else if !errors.Is(err, tree.ErrInUse) {
			t.Errorf("%s: %v is not ErrInUse", name, err)
		}
	}
	other() // the attempts of this process did not release it
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, embedded.Config{Dir: link}).Close(); err != nil {
		t.Error(err)
	}
}

// TestOpenErrors: what is wrong with a directory is not said to be in use.
func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "log")} {
		log, err := embedded.Open(t.Context(), embedded.Config{Dir: dir})
		if err == nil {
			t.Errorf("%s: opened", dir)
			log.Close()
		} else if errors.Is(err, tree.ErrInUse) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// TestFull runs out of room before a batch is queued, and between queueing and
// the commit. Nothing stays queued, and making room helps.
func TestFull(t *testing.T) {
	var free atomic.Int64 // how many more writes have room
	const plenty = 1 << 30
	free.Store(plenty)
	log := open(t, embedded.Config{Dir: "log", FS: vfs.NewMem(), Free: func() (uint64, error) {
		if free.Add(-1) < 0 {
			return 0, nil
		}
		return plenty, nil
	}})
	defer log.Close()
	a, _ := leaf("a")
	b, hash := leaf("b")
	c, _ := leaf("c")
	if _, err := log.Append(t.Context(), [][]byte{a}); err != nil {
		t.Fatal(err)
	}
	for room := range int64(2) {
		free.Store(room)
		if _, err := log.Append(t.Context(), [][]byte{b, c}); !errors.Is(err, tree.ErrFull) {
			t.Fatalf("room for %d writes: %v, want ErrFull", room, err)
		}
		if at, err := log.Index(t.Context(), hash); !errors.Is(err, tree.ErrNotFound) {
			t.Errorf("room for %d writes: leaf has index %d, %v", room, at, err)
		}
		if head, err := log.Head(t.Context()); err != nil || head.Size != 1 {
			t.Errorf("room for %d writes: head %v, %v", room, head, err)
		}
	}
	free.Store(plenty)
	if at, err := log.Append(t.Context(), [][]byte{c, b}); err != nil || at[0] != 1 || at[1] != 2 {
		t.Errorf("with room again: %v, %v", at, err)
	}
}

// TestCloseWaits: Close lets the calls end that run; later ones are errors.
func TestCloseWaits(t *testing.T) {
	log := open(t, embedded.Config{Dir: "log", FS: vfs.NewMem()})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for k := range 1000 {
				b, _ := leaf("%d %d", w, k)
				if _, err := log.Append(t.Context(), [][]byte{b}); err != nil {
					if errors.Is(err, tree.ErrUnknown) {
						t.Error(err)
					}
					return
				}
				if _, err := log.Leaves(t.Context(), 0, 1); err != nil {
					return
				}
			}
		})
	}
	for {
		head, err := log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if head.Size > 100 {
			break
		}
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}
