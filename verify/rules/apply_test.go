package rules_test

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// TestApplyDoesNotRelyOnOpen: a record that was opened with the keys of another
// ledger is judged by this one's.
func TestApplyDoesNotRelyOnOpen(t *testing.T) {
	w := settled(t)
	ring := record.Keyring{}
	for _, name := range []string{"dan", "eve", "mallory"} {
		ring.Add(jwk(name))
	}
	other := w.decision(record.Decline)
	other.Ledger = "ledger.example.org/2026"
	for want, u := range map[rules.Code]*record.Unverified{
		record.LedgerMismatch: w.sign(other, by("dan")...), // also too few: the first code stands alone
		record.KeyUnknown:     w.sign(w.decision(record.Terminate), by("dan mallory")...),
	} {
		c, err := u.Verify(ring)
		if err != nil {
			t.Fatal(err)
		}
		s, err := w.fold.Apply(w.size(), c)
		if err != nil || !slices.Equal(s.Codes, []rules.Code{want}) {
			t.Errorf("%v, %v; want %s alone", s.Codes, err, want)
		}
	}
}

var errDisk = errors.New("disk error")

type brokenRoots struct{}

func (brokenRoots) Root(int64) (tlog.Hash, error) { return tlog.Hash{}, errDisk }

// brokenState fails at the nth read or write.
type brokenState struct {
	*rules.Memory
	n int
}

func (b *brokenState) fails() error {
	if b.n--; b.n < 0 {
		return errDisk
	}
	return nil
}

func (b *brokenState) Get(key string) ([]byte, error) {
	if err := b.fails(); err != nil {
		return nil, err
	}
	return b.Memory.Get(key)
}

func (b *brokenState) Put(key string, value []byte) error {
	if err := b.fails(); err != nil {
		return err
	}
	return b.Memory.Put(key, value)
}

// TestApplyErrors: an error of State or Roots is the answer, not a verdict.
func TestApplyErrors(t *testing.T) {
	base := settled(t)
	d := base.late(record.Suspend, "use/1/urgent")
	d.Retrospective, d.Emergency, d.DecidedAt, d.EffectiveAt = nil, &record.Harm{Harm: "life"}, record.Time(base.now), record.Time(base.now)
	for name, u := range map[string]*record.Unverified{
		"decision": base.sign(d, by("dan")...),
		"enrol":    base.sign(enrolment("tim", "decider registrar"), by("ada bob tim")...),
		"revoke":   base.sign(revocation("cleo", record.Retired), by("ada bob")...),
		"publish":  base.sign(usePolicy(2), by("pat")...),
	} {
		c, err := u.Verify(base)
		if err != nil {
			t.Fatal(err)
		}
		w := base.copy(t)
		if s, err := rules.New(w.state, brokenRoots{}, verify.OpenTimemark).Apply(w.size(), c); !errors.Is(err, errDisk) || dump(w.state) != dump(base.state) {
			t.Errorf("%s without roots: %+v, %v; want the error and no change", name, s, err)
		}
		for n := 0; ; n++ {
			w := base.copy(t)
			state := &brokenState{w.state, n}
			s, err := rules.New(state, w, verify.OpenTimemark).Apply(w.size(), c)
			if err == nil {
				if !s.Effective() || n < 8 {
					t.Errorf("%s: effective %v after %d reads and writes", name, s.Effective(), n)
				}
				break
			}
			if !errors.Is(err, errDisk) || s.ID != "" {
				t.Errorf("%s: %+v, %v at read or write %d, want the error", name, s, err, n)
			}
		}
	}
}

// TestReadNothing: what an empty state says.
func TestReadNothing(t *testing.T) {
	c, err := rules.ReadCharter(rules.NewMemory())
	if c != nil || err != nil {
		t.Errorf("charter %v, %v", c, err)
	}
	if n, err := rules.NextSeq(rules.NewMemory(), kid("dan")); n != 1 || err != nil {
		t.Errorf("next number %d, %v; want 1", n, err)
	}
	w := settled(t)
	c, err = rules.ReadCharter(w.state)
	if err != nil || c.Charter.Operator != "Example Ltd" || c.Time != start {
		t.Errorf("charter %+v, %v", c, err)
	}
}

// TestMemory: a Memory keeps its own copies, and an empty value is none.
func TestMemory(t *testing.T) {
	m := rules.NewMemory()
	b := []byte("one")
	if err := m.Put("a", b); err != nil {
		t.Fatal(err)
	}
	b[0] = 'x'
	if got, err := m.Get("a"); string(got) != "one" || err != nil {
		t.Errorf("%q, %v; want one", got, err)
	}
	if err := m.Put("a", nil); err != nil || dump(m) != "" {
		t.Errorf("%v, %v; want nothing", m, err)
	}
}

// TestVoid: the standing of what package record refuses.
func TestVoid(t *testing.T) {
	s := rules.Void(7, []byte("x"), errDisk)
	if s.Index != 7 || s.ID != record.IDOf([]byte("x")) || !slices.Equal(s.Codes, []rules.Code{record.Malformed}) || s.Effective() {
		t.Errorf("%+v", s)
	}
	_, err := record.Parse([]byte("x"))
	if s := rules.Void(0, nil, err); !slices.Equal(s.Codes, []rules.Code{record.Malformed}) {
		t.Errorf("%+v", s)
	}
}
