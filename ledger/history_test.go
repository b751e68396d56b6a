package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// TestHistories lets random things happen, right and wrong, each logged as
// effective or as void, with restarts in between. The auditor, who has the files
// alone, must judge every record as the ledger did.
func TestHistories(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := ledgertest.New(t, func(c *ledger.Config) { c.VoidsPerDay = 1000 })
			s := &story{t: t, w: w, Rand: rand.New(rand.NewPCG(seed, 7)), codes: map[int64][]rules.Code{}}
			for range 80 {
				s.step()
			}
			if s.effective < 10 || s.void < 10 {
				t.Errorf("%d effective and %d void: that says little", s.effective, s.void)
			}
			s.audit()
		})
	}
}

type story struct {
	*rand.Rand
	t               *testing.T
	w               *ledgertest.World
	sent            [][]byte
	acts            []ledger.Outcome // effective decisions and ratifications
	codes           map[int64][]rules.Code
	effective, void int
}

func (s *story) one(names ...string) string { return names[s.IntN(len(names))] }

func (s *story) some(names ...string) []string {
	s.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	if s.IntN(3) > 0 {
		return names
	}
	return names[:1+s.IntN(len(names))]
}

func (s *story) step() {
	s.w.Advance(time.Duration(s.IntN(100)) * time.Minute)
	var b []byte
	switch n := s.IntN(20); {
	case n == 0:
		s.w.Reopen()
		return
	case n < 3 && len(s.sent) > 0:
		b = s.sent[s.IntN(len(s.sent))]
	case n < 5:
		name := s.one("tim", "tom", "fay")
		b = s.w.Sign(&record.KeyEnrol{Holder: name, JWK: ledgertest.JWK(name), Roles: []record.Role{record.RoleDecider}},
			append(s.some("ada", "ben", "cleo"), name)...)
	case n < 6:
		b = s.w.Sign(&record.KeyRevoke{KID: ledgertest.JWK(s.one("tim", "tom", "gus")).KID(), Reason: record.Retired}, s.some("ada", "ben")...)
	case n < 8:
		p := ledgertest.Abuse()
		p.Version = int64(1 + s.IntN(4))
		p.EffectiveFrom = s.w.Time(0)
		b = s.w.Sign(p, s.some("ada", "cleo")...)
	case n < 10 && len(s.acts) > 0:
		of := s.acts[s.IntN(len(s.acts))]
		b = s.w.Sign(&record.Ratification{Case: "case-1", Decision: of.ID, Prev: of.ID, Lang: "en", Reasons: "It was right."}, s.some("fay", "gus")...)
	default:
		b = s.w.Sign(s.decide(), s.some("dora", "erik")...)
	}
	s.submit(b)
}

func (s *story) decide() *record.Decision {
	d := s.w.Decision(fmt.Sprintf("case-%d", s.IntN(30)))
	d.Grounds[0].Clause = s.one("hosting", "hosting", "solo", "security")
	if s.IntN(3) == 0 {
		d.Emergency = &record.Harm{Harm: "threat-to-life"}
		d.Grounds[0].Clause = "security"
		d.ServiceLayer, d.Action = "security", record.Restrict
	}
	if len(s.acts) > 0 && s.IntN(4) == 0 {
		d.Prev = s.acts[len(s.acts)-1].ID
		d.Action = record.Reinstate
	}
	return d
}

func (s *story) submit(b []byte) {
	s.t.Helper()
	out, err := s.w.Ledger.Submit(context.Background(), b, ledger.Options{LogVoid: true})
	var refused *ledger.RefusedError
	switch {
	case errors.Is(err, ledger.ErrVoidSigner), errors.As(err, &refused):
		return
	case err != nil:
		s.t.Fatal(err)
	case out.Known:
		return
	}
	s.sent = append(s.sent, b)
	if s.codes[out.Index] = out.Standing.Codes; !out.Standing.Effective() {
		s.void++
		return
	}
	s.effective++
	u, err := record.Parse(b)
	if err != nil {
		s.t.Fatal(err)
	}
	switch u.Payload().(type) {
	case *record.Decision, *record.Ratification:
		s.acts = append(s.acts, out)
	}
	holds(s.t, s.w, b, out.Receipt)
}

// audit compares what the auditor finds in the files with what the ledger said,
// and still says.
func (s *story) audit() {
	files := fstest.MapFS{}
	for path, b := range s.w.Files() {
		files[path] = &fstest.MapFile{Data: b}
	}
	p, err := verify.ParsePolicy(s.w.TrustPolicy())
	if err != nil {
		s.t.Fatal(err)
	}
	sum, found, err := auditFiles(files, p)
	if err != nil || sum.Broken > 0 || sum.Effective != int64(6+s.effective) || sum.Void != int64(s.void) {
		s.t.Fatalf("audit: %+v, %v, want %d effective and %d void; %+v", sum, err, 6+s.effective, s.void, found)
	}
	codes := map[int64][]rules.Code{}
	for _, f := range found {
		if f.Severity == verify.Void {
			codes[f.Index] = append(codes[f.Index], f.Code)
		}
	}
	for _, b := range s.sent {
		e, err := s.w.Ledger.Record(context.Background(), record.IDOf(b))
		if err != nil || !slices.Equal(e.Standing.Codes, s.codes[e.Index]) || !slices.Equal(codes[e.Index], s.codes[e.Index]) {
			s.t.Errorf("record %d: the answer was %v, the ledger says %v (%v), the auditor %v",
				e.Index, s.codes[e.Index], e.Standing.Codes, err, codes[e.Index])
		}
	}
}

// TestManyCallers is a crowd: new records, the same ones, refused ones and full
// receipts, all at once.
func TestManyCallers(t *testing.T) {
	w := ledgertest.New(t, nil)
	known := w.Sign(solo(w, "case-known"), "dora")
	w.Submit(known)
	records := make([][]byte, 256)
	for i := range records {
		switch i % 4 {
		case 0, 1:
			records[i] = w.Sign(solo(w, fmt.Sprintf("case-%d", i)), "dora")
		case 2:
			records[i] = records[i-1]
		default:
			d := solo(w, fmt.Sprintf("case-%d", i))
			d.Grounds = nil
			records[i] = w.Sign(d, "erik")
		}
	}
	var wg sync.WaitGroup
	for i, b := range records {
		wg.Go(func() {
			out, err := w.Ledger.Submit(context.Background(), b, ledger.Options{})
			var refused *ledger.RefusedError
			switch {
			case i%4 == 3:
				if !errors.As(err, &refused) || !slices.Equal(refused.Codes, []rules.Code{rules.GroundNone, rules.QuorumShort}) {
					t.Errorf("caller %d: %v, want refused", i, err)
				}
				return
			case err != nil:
				t.Errorf("caller %d: %v", i, err)
				return
			}
			holds(t, w, b, out.Receipt)
			full(t, w, out.ID)
		})
	}
	wg.Wait()
	if sum := audited(t, w); sum.Effective != 7+128 || sum.Void != 0 {
		t.Errorf("%d effective, %d void, want 135 and none", sum.Effective, sum.Void)
	}
	if n := w.Ledger.Taken(); n != 0 {
		t.Errorf("%d places are still taken", n)
	}
}

// full checks the full receipt of a record, alone.
func full(t *testing.T, w *ledgertest.World, id record.ID) {
	t.Helper()
	p, err := verify.ParsePolicy(w.TrustPolicy())
	if err != nil {
		t.Error(err)
		return
	}
	fullBy(t, w, id, p)
}

// fullBy is full under another policy.
func fullBy(t *testing.T, w *ledgertest.World, id record.ID, p *verify.Policy) {
	t.Helper()
	b, err := w.Ledger.Receipt(context.Background(), id)
	if err != nil {
		t.Error(err)
		return
	}
	r, err := verify.ParseReceipt(b)
	if err != nil {
		t.Error(err)
		return
	}
	if proven, err := r.Check(p, nil); err != nil || !proven.Full || proven.ID != id || !proven.Standing.Effective() {
		t.Errorf("full receipt: %+v, %v", proven, err)
	}
}
