package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

func open(t *testing.T, cfg state.Config) *state.Store {
	t.Helper()
	s, err := state.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shut(t *testing.T, s *state.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func root(size int64) tlog.Hash { return tlog.RecordHash(fmt.Append(nil, size)) }

func merge(t *testing.T, s *state.Store, o *state.Overlay, size int64) {
	t.Helper()
	if err := s.Merge(o, size, root(size)); err != nil {
		t.Fatal(err)
	}
}

// row reads a row from the store and from an overlay on it; both must be want.
func row(t *testing.T, s *state.Store, key, want string) {
	t.Helper()
	for name, from := range map[string]rules.State{"store": s, "overlay": s.Overlay()} {
		if got, err := from.Get(key); err != nil || string(got) != want {
			t.Errorf("%s: row %q is %q, %v, want %q", name, key, got, err, want)
		}
	}
}

func put(t *testing.T, o *state.Overlay, key, value string) {
	t.Helper()
	if err := o.Put(key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func TestOverlay(t *testing.T) {
	s := open(t, state.Config{FS: vfs.NewMem()})
	defer shut(t, s)
	row(t, s, "a", "") // absent, and remembered as such
	o := s.Overlay()
	value := []byte("1")
	if err := o.Put("a", value); err != nil {
		t.Fatal(err)
	}
	value[0] = 'x' // not retained
	put(t, o, "b", "2")
	if got, err := o.Get("a"); err != nil || string(got) != "1" {
		t.Errorf("the overlay: %q, %v", got, err)
	}
	row(t, s, "a", "") // an overlay that is not merged changes nothing
	merge(t, s, o, 1)
	row(t, s, "a", "1")
	row(t, s, "b", "2")

	dropped := s.Overlay()
	put(t, dropped, "a", "lost")
	row(t, s, "a", "1")

	o = s.Overlay()
	put(t, o, "a", "") // empty is absent
	put(t, o, "b", "3")
	merge(t, s, o, 2)
	row(t, s, "a", "")
	row(t, s, "b", "3")
	if err := s.Put("a", []byte("1")); err == nil {
		t.Error("the merged state was written past an overlay")
	}
}

// TestManyRows has more rows than the cache of the writer.
func TestManyRows(t *testing.T) {
	s := open(t, state.Config{FS: vfs.NewMem()})
	defer shut(t, s)
	const n = 70_000
	o := s.Overlay()
	for i := range n {
		put(t, o, fmt.Sprint("k", i), fmt.Sprint(i))
	}
	merge(t, s, o, n)
	for i := 0; i < n; i += 997 {
		row(t, s, fmt.Sprint("k", i), fmt.Sprint(i))
	}
}

func TestStandingAndPayload(t *testing.T) {
	s := open(t, state.Config{FS: vfs.NewMem()})
	defer shut(t, s)
	void := rules.Standing{Index: 3, Codes: []rules.Code{rules.GroundNone, rules.QuorumShort}}
	found := rules.Standing{Index: 4, Findings: []rules.Code{rules.SeqGap}}
	plain := rules.Standing{Index: 5}
	both := rules.Standing{Index: 1 << 40, Codes: []rules.Code{record.Malformed}, Findings: []rules.Code{rules.SeqGap, rules.SeqLate}}
	o := s.Overlay()
	for _, st := range []rules.Standing{void, found, plain, both} {
		judged(t, o, st, fmt.Append(nil, "payload of ", st.Index), nil)
	}
	judged(t, o, rules.Standing{Index: 6}, nil, nil)
	if i, ok, err := o.Payload([]byte("payload of 4")); i != 4 || !ok || err != nil {
		t.Errorf("in the overlay: %d, %v, %v", i, ok, err)
	}
	if _, ok, err := s.Payload([]byte("payload of 4")); ok || err != nil {
		t.Errorf("before Merge: %v, %v", ok, err)
	}
	merge(t, s, o, 7)
	for _, want := range []rules.Standing{void, found, plain, both} {
		codes, findings, err := s.Standing(want.Index)
		if err != nil || !slices.Equal(codes, want.Codes) || !slices.Equal(findings, want.Findings) {
			t.Errorf("standing of %d: %v, %v, %v, want %+v", want.Index, codes, findings, err, want)
		}
		i, ok, err := s.Payload(fmt.Append(nil, "payload of ", want.Index))
		if err != nil || ok != want.Effective() || ok && i != want.Index {
			t.Errorf("payload of %d: %d, %v, %v, want it of effective records alone", want.Index, i, ok, err)
		}
	}
	if _, ok, err := s.Overlay().Payload([]byte("payload of 9")); ok || err != nil {
		t.Errorf("a payload that nobody stated: %v, %v", ok, err)
	}
}

// TestReopen closes and opens: the cursor, the rows and the payloads are there.
func TestReopen(t *testing.T) {
	cache := state.NewCache(1 << 20)
	defer cache.Unref()
	cfg := state.Config{Dir: filepath.Join(t.TempDir(), "state"), Cache: cache}
	s := open(t, cfg)
	if size, r := s.Cursor(); size != 0 || r != tlog.Hash(bytes.Clone(emptyRoot)) {
		t.Errorf("a new state has seen %d records with root %v", size, r)
	}
	o := s.Overlay()
	put(t, o, "a", "1")
	judged(t, o, rules.Standing{Index: 8}, []byte("payload"), nil)
	merge(t, s, o, 9)
	shut(t, s)
	s = open(t, cfg)
	if size, r := s.Cursor(); size != 9 || r != root(9) {
		t.Errorf("it has seen %d records with root %v, want 9, %v", size, r, root(9))
	}
	row(t, s, "a", "1")
	if i, ok, err := s.Payload([]byte("payload")); i != 8 || !ok || err != nil {
		t.Errorf("payload: %d, %v, %v", i, ok, err)
	}
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	if size, _ := s.Cursor(); size != 0 {
		t.Errorf("after Reset it has seen %d records", size)
	}
	row(t, s, "a", "")
	if _, ok, err := s.Payload([]byte("payload")); ok || err != nil {
		t.Errorf("after Reset, payload: %v, %v", ok, err)
	}
	shut(t, s)
	s = open(t, cfg)
	defer shut(t, s)
	row(t, s, "a", "")
}

var emptyRoot = []byte("\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55")

// TestCrash loses what was not on the disk: what is left is the state of an
// earlier cursor, whole.
func TestCrash(t *testing.T) {
	for _, kept := range []int{0, 50, 100} {
		fs := vfs.NewCrashableMem()
		s := open(t, state.Config{FS: fs})
		for size := int64(1); size <= 40; size++ {
			o := s.Overlay()
			put(t, o, "a", fmt.Sprint(size))
			put(t, o, "b", fmt.Sprint(size))
			merge(t, s, o, size)
		}
		crashed := open(t, state.Config{FS: fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rand.New(rand.NewPCG(1, uint64(kept)))})})
		size, r := crashed.Cursor()
		want := ""
		if size > 0 {
			want = fmt.Sprint(size)
			if r != root(size) {
				t.Errorf("%d%% kept: cursor %d with root %v", kept, size, r)
			}
		}
		row(t, crashed, "a", want)
		row(t, crashed, "b", want)
		shut(t, crashed)
		shut(t, s)
	}
}

// TestDamagedCursor: the operator is told what to do.
func TestDamagedCursor(t *testing.T) {
	fs := vfs.NewMem()
	shut(t, open(t, state.Config{FS: fs}))
	db, err := pebble.Open("", &pebble.Options{FS: fs, FormatMajorVersion: 24})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Set([]byte("c"), []byte("short"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := state.Open(state.Config{FS: fs}); err == nil || !strings.Contains(err.Error(), "delete that folder") {
		t.Errorf("Open: %v", err)
	}
}

func judged(t *testing.T, o *state.Overlay, s rules.Standing, payload []byte, p record.Payload) {
	t.Helper()
	if err := o.Judged(s, payload, p); err != nil {
		t.Fatal(err)
	}
}

// TestVersion: a state of another version is not misread but made anew.
func TestVersion(t *testing.T) {
	for _, version := range []string{"", "1", "99"} {
		fs := vfs.NewMem()
		s := open(t, state.Config{FS: fs})
		o := s.Overlay()
		put(t, o, "a", "1")
		merge(t, s, o, 9)
		shut(t, s)
		db, err := pebble.Open("", &pebble.Options{FS: fs, FormatMajorVersion: 24})
		if err != nil {
			t.Fatal(err)
		}
		if version == "" { // as the first program wrote it
			err = db.Delete([]byte("v"), pebble.Sync)
		} else {
			err = db.Set([]byte("v"), []byte(version), pebble.Sync)
		}
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		s = open(t, state.Config{FS: fs})
		if size, _ := s.Cursor(); size != 0 {
			t.Errorf("version %q: it has seen %d records, want 0", version, size)
		}
		row(t, s, "a", "")
		merge(t, s, s.Overlay(), 3)
		shut(t, s)
		s = open(t, state.Config{FS: fs})
		if size, _ := s.Cursor(); size != 3 {
			t.Errorf("version %q, made anew: it has seen %d records, want 3", version, size)
		}
		shut(t, s)
	}
}

// TestCases: what names a case, and what is about that, void or not, is found
// under its name and no other.
func TestCases(t *testing.T) {
	s := open(t, state.Config{FS: vfs.NewMem()})
	defer shut(t, s)
	id := func(i int64) record.ID { return record.HashID(root(i)) }
	common := func(t record.Type) record.Common { return record.Common{Type: t} }
	decision := func(name string) *record.Decision {
		return &record.Decision{Common: common(record.TypeDecision), Case: name}
	}
	payloads := []record.Payload{
		decision("case"),
		decision("case-b"),
		&record.Erratum{Common: common(record.TypeErratum), About: id(0)}, // in the same batch
		nil,
		&record.KeyRevoke{Common: common(record.TypeKeyRevoke)},
		decision("case"),
		&record.Execution{Common: common(record.TypeExecution), About: id(5)}, // in the next one
		&record.Export{Common: common(record.TypeExport), About: id(77)},      // of nothing
		&record.Erasure{Common: common(record.TypeErasure), About: id(6)},     // about what is about it
	}
	batch := func(from, to int64) {
		o := s.Overlay()
		for i := from; i < to; i++ {
			st := rules.Standing{Index: i, ID: id(i)}
			if i == 5 {
				st.Codes = []rules.Code{rules.GroundNone}
			}
			judged(t, o, st, nil, payloads[i])
		}
		merge(t, s, o, to)
	}
	batch(0, 6)
	before, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	batch(6, 9)
	now, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		view  *state.View
		name  string
		from  int64
		limit int
		want  []int64
	}{
		{before, "case", 0, 9, []int64{0, 2, 5}},
		{now, "case", 0, 9, []int64{0, 2, 5, 6, 8}},
		{now, "case", 0, 2, []int64{0, 2}},
		{now, "case", 3, 2, []int64{5, 6}},
		{now, "case", 9, 2, nil},
		{now, "case-b", 0, 9, []int64{1}},
		{now, "cas", 0, 9, nil},
		{now, "case-", 0, 9, nil},
	} {
		got, err := test.view.Case(test.name, test.from, test.limit)
		var indexes []int64
		for _, n := range got {
			indexes = append(indexes, n.Index)
			if n.ID != id(n.Index) || n.Type != payloads[n.Index].Head().Type {
				t.Errorf("%s: got %+v", test.name, n)
			}
		}
		if err != nil || !slices.Equal(indexes, test.want) {
			t.Errorf("%s from %d: got %v, %v, want %v", test.name, test.from, indexes, err, test.want)
		}
	}
	var newest []int64
	for n, err := range now.Newest("case") {
		if newest = append(newest, n.Index); err != nil || len(newest) == 3 {
			break
		}
	}
	if !slices.Equal(newest, []int64{8, 6, 5}) {
		t.Errorf("the newest: %v", newest)
	}
	if before.Size() != 6 || now.Size() != 9 {
		t.Errorf("sizes %d and %d, want 6 and 9", before.Size(), now.Size())
	}
	if codes, _, err := now.Standing(5); err != nil || len(codes) != 1 {
		t.Errorf("standing: %v, %v", codes, err)
	}
	for _, v := range []*state.View{before, now} {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestList lists the rows of the rules with a prefix, and nothing else.
func TestList(t *testing.T) {
	s := open(t, state.Config{FS: vfs.NewMem()})
	defer shut(t, s)
	o := s.Overlay()
	for _, key := range []string{"k/b", "k/a", "k", "l/c", "k/c", "k0"} {
		put(t, o, key, key)
	}
	judged(t, o, rules.Standing{Index: 1}, []byte("k/"), nil)
	merge(t, s, o, 2)
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}()
	var got []string
	err = v.List("k/", func(key string, value []byte) error {
		if string(value) != key {
			t.Errorf("row %q is %q", key, value)
		}
		got = append(got, key)
		return nil
	})
	if err != nil || !slices.Equal(got, []string{"k/a", "k/b", "k/c"}) {
		t.Errorf("got %v, %v", got, err)
	}
	stop := errors.New("stop")
	if err := v.List("k/", func(string, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
	if err := v.Put("k/a", nil); err == nil {
		t.Error("a view was written")
	}
}
