package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/mirror"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
)

// onlyNew is sync1 without reading again what is there.
func onlyNew(src verify.Source, p *verify.Policy, dir string) (*mirror.Result, error) {
	return mirror.Sync(context.Background(), mirror.Config{Source: src, Policies: []*verify.Policy{p}, Dir: dir})
}

// TestOnlyNew: from each size around the edges of tiles to each larger one, a copy
// reads what is new and has the whole log in the end.
func TestOnlyNew(t *testing.T) {
	o := newOperator(t, "static.example/log")
	sizes := []int64{0, 1, 2, 255, 256, 257, 511, 512, 513, 1000}
	logs := map[int64]*source{}
	for _, size := range sizes {
		logs[size] = o.files(size, never)
	}
	for i, from := range sizes {
		for _, to := range sizes[i:] {
			dir := filepath.Join(t.TempDir(), "mirror")
			if _, err := onlyNew(logs[from], o.policy, dir); err != nil {
				t.Fatal(err)
			}
			src := &source{files: logs[to].files}
			res, err := onlyNew(src, o.policy, dir)
			if err != nil || res.Before != from || res.Signed.Checkpoint.Size != to {
				t.Fatalf("%d to %d: %+v, %v", from, to, res, err)
			}
			same(t, dir, src)
			added := 0
			for path := range src.files {
				if _, ok := logs[from].files[path]; !ok {
					added++
				}
			}
			if int(res.Fetched) != added || src.reads > added+12 {
				t.Errorf("%d to %d: fetched %d of %d new files with %d reads", from, to, res.Fetched, added, src.reads)
			}
		}
	}
}

// TestOnlyNewDistrusts: what the folder has is not believed where it matters for
// what is new, and a log with another past is found at each size.
func TestOnlyNewDistrusts(t *testing.T) {
	o := newOperator(t, "static.example/log")
	for _, size := range []int64{1, 255, 256, 257, 512, 600} {
		old, grown := o.files(size, never), o.files(900, never)
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "mirror")
			if _, err := onlyNew(old, o.policy, dir); err != nil {
				t.Fatal(err)
			}
			for _, from := range []int64{0, size - 1} {
				var fork *verify.ForkError
				if _, err := onlyNew(o.files(900, from), o.policy, dir); !errors.As(err, &fork) || fork.Check() != nil {
					t.Errorf("another past from %d on: %v", from, err)
				}
				same(t, dir, old)
			}
			// Tiles that went bad are not what new ones rest on.
			bad := map[string][]byte{}
			for path, b := range old.files {
				if path != "checkpoint" && !bytes.Contains([]byte(path), []byte("entries")) {
					b = bytes.Clone(b)
					b[0] ^= 1
					bad[path] = b
				}
			}
			put(t, dir, bad)
			if _, err := onlyNew(grown, o.policy, dir); err != nil {
				t.Fatal(err)
			}
			if _, err := sync1(grown, o.policy, dir); err != nil { // mends what is not new
				t.Fatal(err)
			}
			same(t, dir, grown)
		})
	}
}

// TestMarks: a folder whose marks are damaged or old is read again.
func TestMarks(t *testing.T) {
	o := newOperator(t, "static.example/log")
	old, grown := o.files(300, never), o.files(700, never)
	for name, mark := range map[string][]byte{"none": nil, "damaged": []byte("x"), "of before": old.files["checkpoint"]} {
		dir := filepath.Join(t.TempDir(), "mirror")
		if _, err := onlyNew(grown, o.policy, dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, ".verified")); err != nil {
			t.Fatal(err)
		}
		put(t, dir, map[string][]byte{"tile/entries/002.p/188": []byte("bad")})
		if mark != nil {
			put(t, dir, map[string][]byte{".verified": mark})
		}
		if res, err := onlyNew(grown, o.policy, dir); err != nil || res.Fetched != 1 {
			t.Errorf("%s: %+v, %v", name, res, err)
		}
		same(t, dir, grown)
	}
}

// TestAheadOf: a witness has the files of what the log does not show yet; what the
// log shows later must be a part of that, or what it has grown to.
func TestAheadOf(t *testing.T) {
	o := newOperator(t, "static.example/log")
	policies := verify.Policies{o.policy}
	signed := func(src *source) verify.Signed {
		s, err := policies.Open(src.files["checkpoint"])
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	dir := filepath.Join(t.TempDir(), "mirror")
	src := o.files(700, never)
	follower := func(src verify.Source) *mirror.Follower {
		f, err := mirror.NewFollower(mirror.Config{Source: src, Policies: policies, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if err := mirror.Has(t.Context(), dir, policies, signed(src)); !errors.Is(err, mirror.ErrAhead) {
		t.Errorf("an empty folder has it: %v", err)
	}
	if err := follower(src).Ahead(t.Context(), signed(src)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "checkpoint")); err == nil {
		t.Error("there is a checkpoint that the log did not show")
	}
	for _, size := range []int64{300, 700} {
		if err := mirror.Has(t.Context(), dir, policies, signed(o.files(size, never))); err != nil {
			t.Errorf("%d entries of 700: %v", size, err)
		}
	}
	var c *mirror.ContradictionError
	for _, err := range []error{
		mirror.Has(t.Context(), dir, policies, signed(o.files(300, 200))),
		follower(src).Ahead(t.Context(), signed(o.files(300, 200))),
		follower(o.files(900, 600)).Ahead(t.Context(), signed(o.files(900, 600))),
	} {
		var fork *verify.ForkError
		if !errors.As(err, &c) || !errors.As(err, &fork) || fork.Check() != nil {
			t.Errorf("another history: %v", err)
		}
	}
	if _, err := onlyNew(o.files(300, 200), o.policy, dir); !errors.As(err, &c) {
		t.Errorf("a head of another history: %v", err)
	}
	for _, size := range []int64{300, 600, 700, 900} {
		src := o.files(size, never)
		if res, err := onlyNew(src, o.policy, dir); err != nil || res.Signed.Checkpoint.Size != size {
			t.Fatalf("the log shows %d: %+v, %v", size, res, err)
		}
		for path, want := range src.files {
			if b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path))); err != nil || !bytes.Equal(b, want) {
				t.Errorf("the log shows %d: %s: %v", size, path, err)
			}
		}
	}
	if _, err := onlyNew(o.files(700, never), o.policy, dir); !errors.Is(err, mirror.ErrSmaller) {
		t.Errorf("set back: %v", err)
	}
}

// TestRun: a follower goes on after failures, and ends when the log has two pasts.
func TestRun(t *testing.T) {
	o := newOperator(t, "static.example/log")
	dir := filepath.Join(t.TempDir(), "mirror")
	var mu sync.Mutex
	var step int
	logs := []*source{o.files(10, never), nil, o.files(300, never), o.files(100, never), o.files(600, never), o.files(700, 5)}
	src := sourceFunc(func(ctx context.Context, path string) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		if logs[step] == nil {
			return nil, errors.New("no answer")
		}
		return logs[step].ReadFile(ctx, path)
	})
	f, err := mirror.NewFollower(mirror.Config{Source: src, Policies: verify.Policies{o.policy}, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int64
	var pauses []bool // longer than asked for
	err = f.Run(t.Context(), time.Millisecond, func(res *mirror.Result, err error, pause time.Duration) {
		size := int64(-1)
		if err == nil {
			size = res.Signed.Checkpoint.Size
		} else if errors.Is(err, mirror.ErrSmaller) {
			size = -2
		}
		sizes, pauses = append(sizes, size), append(pauses, pause > time.Millisecond)
		mu.Lock()
		step++
		mu.Unlock()
	})
	var fork *verify.ForkError
	if !errors.As(err, &fork) || !slices.Equal(sizes, []int64{10, -1, 300, -2, 600}) || !slices.Equal(pauses, []bool{false, true, false, true, false}) {
		t.Errorf("%v, %v, %v", sizes, pauses, err)
	}
	same(t, dir, logs[4])
}

type sourceFunc func(ctx context.Context, path string) ([]byte, error)

func (f sourceFunc) ReadFile(ctx context.Context, path string) ([]byte, error) { return f(ctx, path) }

// TestKept: checkpoints with cosignatures are kept by size, and thinned to one an
// hour after a month.
func TestKept(t *testing.T) {
	o := newOperator(t, "static.example/log")
	text := "log " + o.policy.Logs()[0].Key.String() + "\n" + strings.Join(ledgertest.WitnessLines(1, "w1"), "\n") + "\n"
	p, err := verify.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "mirror")
	cosigned := func(size int64) []byte {
		src := o.files(size, never)
		s, err := o.policy.Open(src.files["checkpoint"])
		if err != nil {
			t.Fatal(err)
		}
		src.files["checkpoint"] = append(s.Note, ledgertest.Cosignature("w1", s.Checkpoint, time.Now())...)
		if _, err := onlyNew(src, p, dir); err != nil {
			t.Fatal(err)
		}
		return src.files["checkpoint"]
	}
	sizes := []int64{3, 256, 300}
	for _, size := range sizes {
		note := cosigned(size)
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(mirror.KeptName(size))))
		if err != nil || !bytes.Equal(b, note) {
			t.Errorf("size %d: %v", size, err)
		}
	}
	if kept, err := mirror.Kept(os.DirFS(dir)); err != nil || !slices.Equal(kept, sizes) {
		t.Errorf("kept %v, want %v (%v)", kept, sizes, err)
	}
	old := time.Now().Add(-40 * 24 * time.Hour).Truncate(time.Hour)
	for i, size := range sizes {
		if err := os.Chtimes(filepath.Join(dir, filepath.FromSlash(mirror.KeptName(size))), old, old.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	hourAgo := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "checkpoint"), hourAgo, hourAgo); err != nil {
		t.Fatal(err)
	}
	cosigned(301)
	want := []int64{3, 301}
	if kept, err := mirror.Kept(os.DirFS(dir)); err != nil || !slices.Equal(kept, want) {
		t.Errorf("thinned to %v, want %v (%v)", kept, want, err)
	}
}
