package witness_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"filippo.io/mldsa"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/witness"
)

const (
	origin = "log.example/2026"
	now    = 1790000000
)

// A log has every size up to that of its hashes.
type log struct {
	t      testing.TB
	signer note.Signer
	vkey   string
	stored []tlog.Hash
}

func newLog(t testing.TB, name, history string, size int64) *log {
	t.Helper()
	skey, vkey, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte(name), 32)), name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	l := &log{t, signer, vkey, nil}
	for i := range size {
		hashes, err := tlog.StoredHashes(i, fmt.Appendf(nil, "%s %d", history, i), l)
		if err != nil {
			t.Fatal(err)
		}
		l.stored = append(l.stored, hashes...)
	}
	return l
}

func (l *log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, x := range indexes {
		out = append(out, l.stored[x])
	}
	return out, nil
}

func (l *log) at(size int64) verify.Checkpoint {
	l.t.Helper()
	if size == 0 {
		return verify.Checkpoint{Origin: l.signer.Name(), Root: verify.EmptyRoot}
	}
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		l.t.Fatal(err)
	}
	return verify.Checkpoint{Origin: l.signer.Name(), Size: size, Root: root}
}

func (l *log) signed(size int64) []byte {
	l.t.Helper()
	b, err := l.at(size).Sign(l.signer)
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

// request asks for size, with a proof from old.
func (l *log) request(old, size int64) witness.Request {
	l.t.Helper()
	r := witness.Request{Old: old, Checkpoint: l.signed(size)}
	if old > 0 && old <= size {
		var err error
		if r.Proof, err = tlog.ProveTree(size, old, l); err != nil {
			l.t.Fatal(err)
		}
	}
	return r
}

// memory is a Store.
type memory struct {
	mu   sync.Mutex
	kept map[string][]byte
	err  error // of Swap
}

func (m *memory) Head(origin string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[origin], nil
}

func (m *memory) Swap(origin string, old, cosigned []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	if !bytes.Equal(m.kept[origin], old) {
		return witness.ErrConflict
	}
	m.kept[origin] = cosigned
	return nil
}

func parse(t testing.TB, lines ...string) *verify.Policy {
	t.Helper()
	p, err := verify.ParsePolicy([]byte(strings.Join(lines, "\n") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func cosigner(t testing.TB, key crypto.Signer) verify.Cosigner {
	t.Helper()
	c, err := verify.NewCosigner("w.example", key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newWitness knows the log, and another one.
func newWitness(t testing.TB, l *log) *witness.Witness {
	other := newLog(t, "other.example/log", "", 0)
	return &witness.Witness{Logs: parse(t, "log "+l.vkey, "log "+other.vkey, "quorum none"), Cosigners: []verify.Cosigner{cosigner(t, ed25519.NewKeyFromSeed(make([]byte, 32)))},
		Store: &memory{kept: map[string][]byte{}}}
}

func add(t testing.TB, w *witness.Witness, r witness.Request) witness.Answer {
	t.Helper()
	a, err := w.Add(r.Marshal(), now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAnswers walks through what the specification says, in its order; what is
// refused changes nothing.
func TestAnswers(t *testing.T) {
	l := newLog(t, origin, "first", 300)
	fork, stranger := newLog(t, origin, "second", 300), newLog(t, "stranger.example", "first", 10)
	imposter := newLog(t, "imposter.example", "first", 10)
	w := newWitness(t, l)
	altered := l.request(0, 7)
	altered.Checkpoint = bytes.Replace(altered.Checkpoint, []byte("\n7\n"), []byte("\n8\n"), 1)
	foreign := witness.Request{Checkpoint: mustSign(t, l.at(7), imposter)}
	without := l.request(7, 100)
	without.Proof = nil
	needless := l.request(0, 7)
	needless.Proof = []tlog.Hash{{}}
	short := l.request(7, 100)
	short.Proof = short.Proof[1:]
	for _, step := range []struct {
		name   string
		r      witness.Request
		status int
		size   string // of a conflict
	}{
		{"a log that it does not know", stranger.request(0, 7), 404, ""},
		{"an altered checkpoint", altered, 403, ""},
		{"signed by another key", foreign, 403, ""},
		{"old above the size", witness.Request{Old: 8, Checkpoint: l.signed(7)}, 400, ""},
		{"an old size that it does not have", l.request(5, 7), 409, "0\n"},
		{"a proof from nothing", needless, 422, ""},
		{"the first one", l.request(0, 7), 200, ""},
		{"the same one from nothing", l.request(0, 7), 409, "7\n"},
		{"the same one again", l.request(7, 7), 200, ""},
		{"another tree of the size", fork.request(7, 7), 422, ""},
		{"a fork that goes on", fork.request(7, 20), 422, ""},
		{"no proof", without, 422, ""},
		{"half a proof", short, 422, ""},
		{"a smaller one", l.request(6, 6), 409, "7\n"},
		{"from its size to a smaller one", witness.Request{Old: 7, Checkpoint: l.signed(6)}, 400, ""},
		{"grown", l.request(7, 256), 200, ""},
		{"from before", l.request(7, 257), 409, "256\n"},
		{"grown by one", l.request(256, 257), 200, ""},
	} {
		before, err := w.Newest(witness.ID(origin))
		if err != nil {
			t.Fatal(err)
		}
		a := add(t, w, step.r)
		if a.Status != step.status || a.Status == witness.Conflict && (a.Body != step.size || a.Type != "text/x.tlog.size") {
			t.Errorf("%s: %+v, want status %d", step.name, a, step.status)
		}
		if sameSize := step.name == "another tree of the size"; (a.Fork != nil) != sameSize || sameSize && (a.Fork.Check() != nil || !bytes.Equal(a.Fork.OldNote, before) || !bytes.Equal(a.Fork.NewNote, step.r.Checkpoint)) {
			t.Errorf("%s: the fork is %+v", step.name, a.Fork)
		}
		after, err := w.Newest(witness.ID(origin))
		if err != nil || (a.Status == witness.OK) != (string(after) == string(step.r.Checkpoint)+a.Body) || a.Status != witness.OK && !bytes.Equal(before, after) {
			t.Errorf("%s: keeps %q (%v), answered %q", step.name, after, err, a.Body)
		}
	}
	if b, err := w.Newest(witness.ID("nobody")); b != nil || err != nil {
		t.Errorf("of a log that it does not know: %q, %v", b, err)
	}
}

func mustSign(t testing.TB, c verify.Checkpoint, by *log) []byte {
	t.Helper()
	b, err := note.Sign(&note.Note{Text: c.Text()}, by.signer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCosignatures: both lines hold under a policy, at the time of the request,
// and foreign lines are not kept.
func TestCosignatures(t *testing.T) {
	l := newLog(t, origin, "first", 10)
	w := newWitness(t, l)
	ml, err := mldsa.GenerateKey(mldsa.MLDSA44())
	if err != nil {
		t.Fatal(err)
	}
	w.Cosigners = append(w.Cosigners, cosigner(t, ml))
	r := l.request(0, 10)
	plain := r.Checkpoint
	r.Checkpoint = append(bytes.Clone(plain), "— stranger.example AAAAAAAAAAAA\n"...)
	a := add(t, w, r)
	p := parse(t, "log "+l.vkey, "witness ed "+w.Cosigners[0].VKey().String(), "witness ml "+w.Cosigners[1].VKey().String(), "group g all ed ml", "quorum g")
	kept, err := w.Newest(witness.ID(origin))
	if err != nil || string(kept) != string(plain)+a.Body {
		t.Errorf("keeps %q, %v", kept, err)
	}
	s, err := p.Open(kept)
	if err != nil || len(s.Cosignatures) != 2 || s.Cosignatures[0].Time != now || s.Cosignatures[1].Time != now {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestEmptyLog: from a log without entries it goes anywhere, without a proof.
func TestEmptyLog(t *testing.T) {
	l := newLog(t, origin, "first", 10)
	w := newWitness(t, l)
	for _, size := range []int64{0, 0, 10} {
		if a := add(t, w, l.request(0, size)); a.Status != witness.OK {
			t.Errorf("size %d: %+v", size, a)
		}
	}
}

// TestStore: what could not be kept is not cosigned, and what is damaged is not
// extended.
func TestStore(t *testing.T) {
	l := newLog(t, origin, "first", 10)
	w := newWitness(t, l)
	store := w.Store.(*memory)
	store.err = errors.New("disk full")
	if a, err := w.Add(l.request(0, 7).Marshal(), now); err == nil || a.Body != "" {
		t.Errorf("%+v, %v", a, err)
	}
	store.err = nil
	store.kept[origin] = l.signed(7)[:20]
	if a, err := w.Add(l.request(0, 7).Marshal(), now); err == nil || a.Body != "" {
		t.Errorf("%+v, %v", a, err)
	}
	store.kept[origin] = newLog(t, "other.example/log", "", 7).signed(7)
	if a, err := w.Add(l.request(7, 7).Marshal(), now); err == nil || a.Body != "" {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestRace: of two forks that are shown at once one wins, and the witness never
// goes back.
func TestRace(t *testing.T) {
	l, fork := newLog(t, origin, "first", 100), newLog(t, origin, "second", 100)
	w := newWitness(t, l)
	var mu sync.Mutex
	signed := map[verify.Checkpoint]bool{}
	var wg sync.WaitGroup
	for _, one := range []*log{l, fork, l, fork} {
		for size := int64(1); size <= 100; size += 9 {
			r := one.request(0, size)
			again := func(old int64) witness.Request { return one.request(old, size) }
			wg.Go(func() {
				a, err := w.Add(r.Marshal(), now)
				for try := 0; err == nil && a.Status == witness.Conflict && try < 5; try++ {
					old, parseErr := witness.ParseSize(strings.TrimSpace(a.Body))
					if parseErr != nil || old > size {
						break
					}
					a, err = w.Add(again(old).Marshal(), now)
				}
				if err != nil {
					t.Error(err)
				}
				if a.Status == witness.OK {
					mu.Lock()
					defer mu.Unlock()
					signed[one.at(size)] = true
				}
			})
		}
	}
	wg.Wait()
	var first, second int
	for size := int64(1); size <= 100; size += 9 {
		if signed[l.at(size)] {
			first++
		}
		if signed[fork.at(size)] {
			second++
		}
	}
	if (first > 0) == (second > 0) {
		t.Errorf("cosigned %d checkpoints of one history and %d of the other", first, second)
	}
}

// TestEveryByteCounts: a request of which a byte is changed is never cosigned,
// unless it is in a signature line of somebody else.
func TestEveryByteCounts(t *testing.T) {
	l := newLog(t, origin, "first", 100)
	good := l.request(7, 100).Marshal()
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		w := newWitness(t, l)
		add(t, w, l.request(0, 7))
		if a, err := w.Add(bad, now); err != nil || a.Status == witness.OK {
			t.Errorf("byte %d (%q) changed: %+v, %v", i, good[i], a, err)
		}
	}
}

// TestBounds: what is too long, or spelled otherwise, is refused.
func TestBounds(t *testing.T) {
	l := newLog(t, origin, "first", 10)
	good := string(l.request(7, 10).Marshal())
	long := l.request(7, 10)
	long.Proof = make([]tlog.Hash, witness.MaxProof+1)
	for _, bad := range []string{
		"", "\n\n", "old", "old 7", "old 7\n", strings.Replace(good, "old 7", "old 07", 1), strings.Replace(good, "old 7", "old +7", 1),
		strings.Replace(good, "old 7", "old  7", 1), strings.Replace(good, "old 7", "old 7 ", 1), strings.Replace(good, "old 7", "Old 7", 1),
		strings.Replace(good, "old 7", "old -7", 1), strings.Replace(good, "old 7", "old 9007199254740992", 1),
		strings.Replace(good, "\n", "\r\n", 1), strings.Replace(good, "=\n", "\n", 1), strings.Replace(good, "=\n", "= \n", 1),
		strings.Replace(good, "\n\n", "\n", 1), string(long.Marshal()), good + strings.Repeat("x", witness.MaxRequest),
	} {
		if r, err := witness.ParseRequest([]byte(bad)); err == nil && len(r.Checkpoint) > 0 && bytes.HasPrefix(r.Checkpoint, []byte(origin)) {
			t.Errorf("%.200q is read as %+v", bad, r)
		}
		if a, err := newWitness(t, l).Add([]byte(bad), now); err != nil || a.Status == witness.OK {
			t.Errorf("%.200q: %+v, %v", bad, a, err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	l := newLog(f, origin, "first", 100)
	for _, r := range []witness.Request{l.request(0, 1), l.request(7, 100), l.request(100, 100), {Old: verify.MaxSize}} {
		f.Add(r.Marshal())
	}
	w := newWitness(f, l)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := witness.ParseRequest(b)
		if err == nil && !bytes.Equal(r.Marshal(), b) {
			t.Errorf("%q has a second spelling %q", b, r.Marshal())
		}
		a, addErr := w.Add(b, now)
		if addErr != nil || err != nil && a.Status != witness.BadRequest {
			t.Errorf("%q (%v) is answered with %+v, %v", b, err, a, addErr)
		}
	})
}
