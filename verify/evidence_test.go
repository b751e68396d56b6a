package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
)

// A side is one of the histories that a log shows: its trees by size.
type side struct {
	t   testing.TB
	log *forgedLog
}

// newSide returns a history of size entries, which from an entry on are not those
// of other histories.
func newSide(t testing.TB, size, from int, name string) side {
	t.Helper()
	entries := make([][]byte, size)
	for i := range entries {
		entries[i] = fmt.Appendf(nil, "entry %d", i)
		if i >= from {
			entries[i] = fmt.Appendf(nil, "entry %d of %s", i, name)
		}
	}
	return side{t, newForgedLog(t, newSigner(t, origin, verify.Ed25519, "log"), entries...)}
}

// at returns the checkpoint of a size.
func (s side) at(size int) verify.Checkpoint {
	s.t.Helper()
	all := verify.NewTree(verify.DirSource(s.log.files), s.cp())
	root, err := all.Root(context.Background(), int64(size))
	if err != nil {
		s.t.Fatal(err)
	}
	return verify.Checkpoint{Origin: origin, Size: int64(size), Root: root}
}

func (s side) cp() verify.Checkpoint {
	s.t.Helper()
	text, _, _ := strings.Cut(string(s.log.files["checkpoint"].Data), "\n\n")
	cp, err := verify.ParseCheckpoint(text + "\n")
	if err != nil {
		s.t.Fatal(err)
	}
	return cp
}

// sign returns the checkpoint of a size as keys sign it.
func (s side) sign(size int, keys ...*signer) []byte {
	s.t.Helper()
	return signNote(s.t, s.at(size).Text(), keys...)
}

// place returns an entry with its proof in the tree of the whole history.
func (s side) place(note []byte, index int64) verify.Place {
	s.t.Helper()
	tree := verify.NewTree(verify.DirSource(s.log.files), s.cp())
	proof, err := tree.Prove(context.Background(), index)
	if err != nil {
		s.t.Fatal(err)
	}
	return verify.NewPlace(note, index, s.log.entries[index], tlog.Hash{}, proof)
}

// forked returns what Tree.ExtendsSigned says of two histories, in a file.
func forked(t testing.TB, p *verify.Policy, old []byte, cur side, note []byte) verify.Evidence {
	t.Helper()
	open := func(note []byte) verify.Signed {
		s, err := p.Open(note)
		if err != nil && !errors.Is(err, verify.ErrQuorum) {
			t.Fatal(err)
		}
		return s
	}
	now := open(note)
	var fork *verify.ForkError
	if err := now.Tree(verify.DirSource(cur.log.files)).ExtendsSigned(context.Background(), open(old)); !errors.As(err, &fork) {
		t.Fatalf("no fork: %v", err)
	}
	return reread(t, fork.Evidence())
}

// reread writes evidence and reads it.
func reread(t testing.TB, e verify.Evidence) verify.Evidence {
	t.Helper()
	b, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := verify.ParseEvidence(b)
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return again
}

// TestForks: two histories are proven to be two, wherever they part and however
// large they are.
func TestForks(t *testing.T) {
	key := newSigner(t, origin, verify.Ed25519, "log")
	p := parsePolicy(t, "log "+key.String(), "quorum none")
	for _, from := range []int{0, 1, 254, 255, 256, 257, 511} {
		for _, sizes := range [][2]int{{1, 1}, {1, 2}, {2, 3}, {255, 256}, {256, 256}, {256, 257}, {257, 512}, {258, 65539}, {512, 513}, {513, 513}} {
			if sizes[0] <= from || sizes[1] > 1000 && from != 255 {
				continue
			}
			a, b := newSide(t, sizes[0], from, "one"), newSide(t, sizes[1], from, "two")
			e := forked(t, p, a.sign(sizes[0], key), b, b.sign(sizes[1], key))
			got, err := verify.Policies{p}.Prove(e)
			if err != nil {
				t.Errorf("from %d, sizes %v: %v", from, sizes, err)
				continue
			}
			if got.Kind != verify.KindFork || got.Origin != origin || got.Statements[0].Checkpoint != a.at(sizes[0]) ||
				got.Statements[1].Checkpoint != b.at(sizes[1]) || got.Root != b.at(sizes[0]).Root || got.Against.Key.String() != key.String() {
				t.Errorf("from %d, sizes %v: %+v", from, sizes, got)
			}
			entry := verify.EntryEvidence(a.place(a.sign(sizes[0], key), int64(from)), b.place(b.sign(sizes[1], key), int64(from)))
			if got, err := (verify.Policies{p}).Prove(reread(t, entry)); err != nil || got.Index != int64(from) || bytes.Equal(got.Entries[0], got.Entries[1]) {
				t.Errorf("from %d, sizes %v: entries: %+v, %v", from, sizes, got, err)
			}
			if from > 0 {
				same := verify.EntryEvidence(a.place(a.sign(sizes[0], key), 0), b.place(b.sign(sizes[1], key), 0))
				if _, err := (verify.Policies{p}).Prove(same); err == nil {
					t.Error("the same entry accuses")
				}
			}
		}
	}
}

// TestWhoseSignatures: whose signatures make evidence, by whom it is believed.
func TestWhoseSignatures(t *testing.T) {
	k1, k2 := newSigner(t, origin, verify.Ed25519, "k1"), newSigner(t, origin, verify.Ed25519, "k2")
	pq := newSigner(t, origin, verify.MLDSA44Cosignature, "pq")
	w1, w2 := witnessKey(t, "w1", t0), witnessKey(t, "w2", t0)
	stranger := newSigner(t, origin, verify.Ed25519, "stranger")
	elsewhere := newSigner(t, "other.example.com/1", verify.Ed25519, "other")
	trust := func(lines ...string) *verify.Policy { return parsePolicy(t, lines...) }
	log := func(keys ...*signer) (lines []string) {
		for _, k := range keys {
			lines = append(lines, "log "+k.String())
		}
		return lines
	}
	with := func(w *signer) []string {
		return []string{"witness " + w.Name() + " " + w.String(), "quorum " + w.Name()}
	}
	none := []string{"quorum none"}
	join := func(parts ...[]string) *verify.Policy { return trust(slices.Concat(parts...)...) }
	early, now := join(log(k1), none), join(log(k2), none)
	for _, test := range []struct {
		name     string
		policies verify.Policies
		old, cur []*signer
		want     error // nil: it is proven
		both     int
	}{
		{"one key", verify.Policies{early}, []*signer{k1}, []*signer{k1}, nil, 0},
		{"two keys of one policy", verify.Policies{join(log(k1, k2), none)}, []*signer{k1}, []*signer{k2}, nil, 0},
		{"the log's ML-DSA-44 key", verify.Policies{join(log(k1, pq), none)}, []*signer{pq}, []*signer{k1, pq}, nil, 0},
		{"a stranger", verify.Policies{early}, []*signer{k1}, []*signer{stranger}, verify.ErrUnknownLog, 0},
		{"a stranger signs along", verify.Policies{early}, []*signer{k1, stranger}, []*signer{stranger, k1}, nil, 0},
		{"witnesses alone", verify.Policies{join(log(k1), with(w1))}, []*signer{w1}, []*signer{w1}, verify.ErrUnknownLog, 0},
		{"no witness cosigned: the log signed", verify.Policies{join(log(k1), with(w1))}, []*signer{k1}, []*signer{k1}, nil, 0},
		{"a witness cosigned one", verify.Policies{join(log(k1), with(w1))}, []*signer{k1, w1}, []*signer{k1}, nil, 0},
		{"a witness cosigned both", verify.Policies{join(log(k1), with(w1))}, []*signer{k1, w1}, []*signer{k1, w1}, nil, 1},
		{"a retired key alone", verify.Policies{early, now}, []*signer{k1}, []*signer{k2}, verify.ErrNoProof, 0},
		{"a retired key twice", verify.Policies{early, now}, []*signer{k1}, []*signer{k1}, verify.ErrNoProof, 0},
		{"the other way round, k1 is the current one", verify.Policies{now, early}, []*signer{k1}, []*signer{k1}, nil, 0},
		{"a retired key with its witnesses", verify.Policies{join(log(k1), with(w1)), now}, []*signer{k1, w1}, []*signer{k2}, nil, 0},
		{"a retired key with the witnesses of now", verify.Policies{join(log(k1), with(w1)), join(log(k2), with(w2))}, []*signer{k1, w2}, []*signer{k2}, verify.ErrNoProof, 0},
		{"the same key, other witnesses", verify.Policies{join(log(k1), with(w1)), join(log(k1), with(w2))}, []*signer{k1}, []*signer{k1}, nil, 0},
		{"the origin is another", verify.Policies{join(log(elsewhere, k1), none)}, []*signer{elsewhere}, []*signer{k1}, verify.ErrOrigin, 0},
		{"no policy", nil, []*signer{k1}, []*signer{k1}, errors.New("any"), 0},
	} {
		for _, sizes := range [][2]int{{300, 300}, {300, 513}} {
			a, b := newSide(t, sizes[0], 100, "one"), newSide(t, sizes[1], 100, "two")
			e := forked(t, join(log(newSigner(t, origin, verify.Ed25519, "any")), none), a.sign(sizes[0], newSigner(t, origin, verify.Ed25519, "any")), b,
				b.sign(sizes[1], newSigner(t, origin, verify.Ed25519, "any")))
			e.Old, e.New = string(a.sign(sizes[0], test.old...)), string(b.sign(sizes[1], test.cur...))
			got, err := test.policies.Prove(e)
			switch {
			case test.want == nil && err == nil:
				if len(got.Both()) != test.both {
					t.Errorf("%s: %d witnesses of both, want %d", test.name, len(got.Both()), test.both)
				}
			case test.want == nil || err == nil || isSentinel(test.want) && !errors.Is(err, test.want):
				t.Errorf("%s: %+v, %v, want %v", test.name, got, err, test.want)
			}
		}
	}
}

// TestRollbacks: a smaller checkpoint is proof only if one key dated both.
func TestRollbacks(t *testing.T) {
	key, pq := newSigner(t, origin, verify.Ed25519, "log"), newSigner(t, origin, verify.MLDSA44Cosignature, "pq")
	dated := func(s *signer, at uint64) *signer { c := *s; c.time = at; return &c }
	w, v := witnessKey(t, "w", 0), witnessKey(t, "v", 0)
	ps := verify.Policies{parsePolicy(t, "log "+key.String(), "log "+pq.String(), "witness w "+w.String(), "witness v "+v.String(), "group g any w v", "quorum g")}
	s := newSide(t, 600, 600, "")
	for _, test := range []struct {
		name            string
		before, smaller []*signer
		against         *signer // nil: nothing is proven
	}{
		{"nobody says when", []*signer{key}, []*signer{key}, nil},
		{"only one says when", []*signer{key, dated(w, 5)}, []*signer{key}, nil},
		{"two witnesses, each once", []*signer{key, dated(w, 5)}, []*signer{key, dated(v, 9)}, nil},
		{"as it should be", []*signer{key, dated(w, 9)}, []*signer{key, dated(w, 5)}, nil},
		{"in the same second", []*signer{key, dated(w, 5)}, []*signer{key, dated(w, 5)}, nil},
		{"a witness says so", []*signer{key, dated(w, 5)}, []*signer{key, dated(w, 6)}, w},
		{"the log says so", []*signer{key, dated(pq, 5)}, []*signer{key, dated(pq, 6)}, pq},
		{"both say so", []*signer{key, dated(w, 5), dated(pq, 5)}, []*signer{key, dated(w, 6), dated(pq, 7)}, pq},
		{"the log does not say when it signed the first", []*signer{key, dated(pq, 0)}, []*signer{key, dated(pq, 7)}, nil},
		{"the log does not say when it signed the second", []*signer{key, dated(pq, 7)}, []*signer{key, dated(pq, 0)}, nil},
	} {
		e := reread(t, verify.RollbackEvidence(s.sign(600, test.before...), s.sign(257, test.smaller...)))
		for _, kind := range []verify.Kind{verify.KindRollback, ""} {
			e.Kind = kind
			a, err := ps.Prove(e)
			switch {
			case test.against == nil && !errors.Is(err, verify.ErrNoProof):
				t.Errorf("%s: %+v, %v, want that nothing is proven", test.name, a, err)
			case test.against != nil && (err != nil || a.Kind != verify.KindRollback || a.Against.Key.String() != test.against.String() || a.Dates[0] != 5 || a.Dates[1] < 6):
				t.Errorf("%s: %+v, %v", test.name, a, err)
			}
		}
		e.Kind, e.Old, e.New = verify.KindRollback, e.New, e.Old
		if a, err := ps.Prove(e); err == nil {
			t.Errorf("%s: the other way round: %+v", test.name, a)
		}
	}
}

// TestOneRootTwoSizes: a size that can't be.
func TestOneRootTwoSizes(t *testing.T) {
	key := newSigner(t, origin, verify.Ed25519, "log")
	ps := verify.Policies{parsePolicy(t, "log "+key.String(), "quorum none")}
	s := newSide(t, 300, 300, "")
	lie := s.at(300)
	lie.Size = 301
	e := verify.Evidence{V: 1, Kind: verify.KindFork, Old: string(s.sign(300, key)), New: string(signNote(t, lie.Text(), key))}
	if a, err := ps.Prove(reread(t, e)); err != nil || a.Statements[0].Checkpoint.Size != 300 {
		t.Errorf("%+v, %v", a, err)
	}
	e.New = e.Old
	if a, err := ps.Prove(e); err == nil {
		t.Errorf("a checkpoint accuses itself: %+v", a)
	}
}

// TestEveryByteOfEvidence flips a bit of every byte of each kind of file, and
// leaves some bytes out: what is left proves nothing.
func TestEveryByteOfEvidence(t *testing.T) {
	for name, e := range allKinds(t) {
		ps := e.policies
		good, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		proves := func(b []byte) error {
			e, err := verify.ParseEvidence(b)
			if err == nil {
				_, err = ps.Prove(e)
			}
			return err
		}
		if err := proves(good); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		step := 1
		if len(good) > 20000 { // the entries, which are long, are hashed as a whole
			step = 7
		}
		for i := 0; i < len(good); i += step {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			if proves(bad) == nil {
				t.Errorf("%s: accepted with byte %d changed: %.80q", name, i, bad[max(0, i-40):])
			}
			if i%16 == 0 && proves(append(bytes.Clone(good[:i]), good[i+1:]...)) == nil {
				t.Errorf("%s: accepted without byte %d: %.80q", name, i, good[max(0, i-40):])
			}
		}
		for i := 0; i < len(good); i += 64 {
			if proves(good[:i]) == nil || proves(append(bytes.Clone(good), good[i:]...)) == nil {
				t.Errorf("%s: accepted cut or repeated at byte %d", name, i)
			}
		}
		if proves(append(good, '\n')) == nil {
			t.Errorf("%s: accepted with a line more", name)
		}
	}
}

type provable struct {
	verify.Evidence
	policies verify.Policies
}

// allKinds returns evidence of every kind that proves something.
func allKinds(t testing.TB) map[string]provable {
	key := newSigner(t, origin, verify.Ed25519, "log")
	w, later := witnessKey(t, "w", t0), witnessKey(t, "w", t0+1)
	ps := verify.Policies{parsePolicy(t, "log "+key.String(), "witness w "+w.String(), "quorum none")}
	a, b := newSide(t, 300, 257, "one"), newSide(t, 513, 257, "two")
	entry := verify.EntryEvidence(a.place(a.sign(300, key), 257), b.place(b.sign(513, key), 257))
	leaf := entry
	leaf.Places = slices.Clone(entry.Places)
	leaf.Places[0].Leaf, leaf.Places[0].Entry = tlog.RecordHash(a.log.entries[257]).String(), ""
	all := map[string]provable{
		"fork":             {forked(t, ps[0], a.sign(300, key), b, b.sign(513, key)), ps},
		"fork, same size":  {forked(t, ps[0], a.sign(300, key), newSide(t, 300, 299, "three"), newSide(t, 300, 299, "three").sign(300, key)), ps},
		"rollback":         {verify.RollbackEvidence(a.sign(300, key, w), a.sign(257, key, later)), ps},
		"entry":            {entry, ps},
		"entry, leaf hash": {leaf, ps},
	}
	old := all["fork"]
	old.Kind = ""
	all["fork of an earlier version"] = old
	for name, e := range recordKinds(t) {
		all[name] = e
	}
	return all
}

// FuzzEvidence: what parses has one spelling, and proving it never fails in
// another way than by an error.
func FuzzEvidence(f *testing.F) {
	var ps verify.Policies
	for _, e := range allKinds(f) {
		b, err := e.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		ps = e.policies
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := verify.ParseEvidence(b)
		if err != nil {
			return
		}
		if again, err := e.Marshal(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q has a second spelling %q (%v)", b, again, err)
		}
		ps.Prove(e)
	})
}
