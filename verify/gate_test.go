package verify_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// An audited is the golden history with what an audit of it keeps.
type audited struct {
	sum       *verify.Summary
	policy    *verify.Policy
	records   []record.Checked
	standings []rules.Standing
	tree      *verify.Tree
}

func auditHistory(t testing.TB) *audited {
	t.Helper()
	a := &audited{policy: historyPolicy(t)}
	src := verify.DirSource(historyFiles(t))
	var err error
	a.sum, err = verify.Audit(context.Background(), src, a.policy, verify.AuditOptions{
		Each: func(_ int64, r record.Checked, s rules.Standing) {
			a.records, a.standings = append(a.records, r), append(a.standings, s)
		}})
	if err != nil || a.sum.Broken > 0 {
		t.Fatalf("%+v, %v", a.sum, err)
	}
	a.tree = a.sum.Signed.Tree(src)
	return a
}

// receipt makes a full receipt; its support is all that could support anything.
func (a *audited) receipt(t testing.TB, index int64) verify.Receipt {
	t.Helper()
	ctx := context.Background()
	proof := func(i int64) verify.Support {
		p, err := a.tree.Prove(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		return verify.Support{Index: i, Record: a.records[i].Bytes(), Proof: p}
	}
	cited := record.Cited(a.records[index].Payload())
	e := verify.Extra{Record: a.records[index].Bytes()}
	for i := range index {
		if !a.standings[i].Effective() {
			continue
		}
		switch a.records[i].Payload().(type) {
		case *record.Charter, *record.CharterAmend, *record.KeyEnrol, *record.PolicyPublish:
			e.Support = append(e.Support, proof(i))
		default:
			if slices.Contains(cited, a.records[i].ID()) {
				e.Support = append(e.Support, proof(i))
			}
		}
	}
	extra, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return verify.Receipt{Extra: extra, Index: index, Proof: proof(index).Proof, Checkpoint: a.sum.Signed.Note}
}

// find returns a decision that is as wanted.
func (a *audited) find(t testing.TB, want func(*record.Decision, *rules.Decided) bool) (int64, *record.Decision) {
	t.Helper()
	for i, r := range a.records {
		d, ok := r.Payload().(*record.Decision)
		if !ok || !a.standings[i].Effective() {
			continue
		}
		s, err := rules.ReadStatus(a.sum.State(), d.Case, r.ID(), a.sum.Time)
		if err != nil {
			t.Fatal(err)
		}
		if want(d, s) {
			return int64(i), d
		}
	}
	t.Fatal("the history has no such decision")
	return 0, nil
}

func ask(d *record.Decision, now int64) verify.Ask {
	return verify.Ask{Action: d.Action, ServiceLayer: d.ServiceLayer, SubjectRef: d.Subject.Ref, Now: now, MaxAge: 3600}
}

// TestGate: one decision passes, and each condition alone keeps it from passing.
func TestGate(t *testing.T) {
	a := auditHistory(t)
	now := a.sum.Time
	saved := a.sum.Saved(now)
	inForce := func(d *record.Decision, s *rules.Decided) bool {
		return s.Status == rules.InForce && d.Action == record.Suspend && d.Retrospective == nil && !s.Contested
	}
	index, d := a.find(t, inForce)
	receipt := a.receipt(t, index)
	if p, err := verify.Gate(a.policy, saved, receipt, ask(d, now)); err != nil || p.ID != a.records[index].ID() {
		t.Fatalf("%+v, %v; want it permitted", p, err)
	}
	for name, test := range map[string]struct {
		change func(*verify.Ask)
		want   error
	}{
		"another action":  {func(k *verify.Ask) { k.Action = record.Terminate }, verify.ErrForbidden},
		"another layer":   {func(k *verify.Ask) { k.ServiceLayer = "dns" }, verify.ErrForbidden},
		"another subject": {func(k *verify.Ask) { k.SubjectRef = strings.Repeat("A", 43) }, verify.ErrForbidden},
		"an old audit":    {func(k *verify.Ask) { k.Now += 3601 }, verify.ErrStale},
	} {
		k := ask(d, now)
		test.change(&k)
		if _, err := verify.Gate(a.policy, saved, receipt, k); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	for name, want := range map[string]func(*record.Decision, *rules.Decided) bool{
		"replaced":           func(_ *record.Decision, s *rules.Decided) bool { return s.Status == rules.Superseded },
		"reversed":           func(_ *record.Decision, s *rules.Decided) bool { return s.Status == rules.Reversed },
		"modified":           func(_ *record.Decision, s *rules.Decided) bool { return s.Status == rules.Modified },
		"recorded afterward": func(d *record.Decision, s *rules.Decided) bool { return d.Retrospective != nil && s.Status.Acts() },
	} {
		i, d := a.find(t, want)
		if _, err := verify.Gate(a.policy, saved, a.receipt(t, i), ask(d, now)); !errors.Is(err, verify.ErrForbidden) {
			t.Errorf("%s: %v, want ErrForbidden", name, err)
		}
	}
	for i, s := range a.standings { // a void decision, whatever is asked
		if d, ok := a.records[i].Payload().(*record.Decision); ok && !s.Effective() && i < 200 {
			if _, err := verify.Gate(a.policy, saved, a.receipt(t, int64(i)), ask(d, now)); !errors.Is(err, verify.ErrForbidden) {
				t.Errorf("void entry %d: %v, want ErrForbidden", i, err)
			}
		}
	}
	// A receipt of something else, a bare one, and one without witnesses.
	if _, err := verify.Gate(a.policy, saved, a.receipt(t, 1), ask(d, now)); !errors.Is(err, verify.ErrForbidden) {
		t.Errorf("a receipt of an enrolment: %v", err)
	}
	bare := receipt
	bare.Extra = nil
	if _, err := verify.Gate(a.policy, saved, bare, ask(d, now)); !errors.Is(err, verify.ErrNotShown) {
		t.Errorf("a bare receipt: %v", err)
	}
	alone := receipt
	cp := a.sum.Signed.Checkpoint
	alone.Checkpoint = signNote(t, cp.Text(), historyLogKey(t))
	if _, err := verify.Gate(a.policy, saved, alone, ask(d, now)); !errors.Is(err, verify.ErrQuorum) {
		t.Errorf("without witnesses: %v", err)
	}
}

// TestGateStale: an audit that does not reach the decision can't tell.
func TestGateStale(t *testing.T) {
	a := auditHistory(t)
	index, d := a.find(t, func(_ *record.Decision, s *rules.Decided) bool { return s.Status.Acts() && s.Index > 280 })
	entries := historyEntries(t)[:250]
	l := newForgedLog(t, historyLogKey(t), entries...)
	sum, _, err := auditOf(l.files, l.policy)
	if err != nil {
		t.Fatal(err)
	}
	honest := parsePolicy(t, "log "+historyLogKey(t).String(), "quorum none")
	if _, err := verify.Gate(honest, sum.Saved(a.sum.Time), a.receipt(t, index), ask(d, a.sum.Time)); !errors.Is(err, verify.ErrStale) {
		t.Errorf("%v, want ErrStale", err)
	}
}

// TestResume: an audit that resumes says what one of the whole log says, from
// wherever it resumes; the file is refused if a byte of it is another.
func TestResume(t *testing.T) {
	whole := auditHistory(t)
	entries := historyEntries(t)
	key := historyLogKey(t)
	honest := parsePolicy(t, "log "+key.String(), "quorum none")
	files := historyFiles(t)
	var file []byte
	for _, size := range []int{1, 100, 256, 300, len(entries)} {
		l := newForgedLog(t, key, entries[:size]...)
		sum, _, err := auditOf(l.files, honest)
		if err != nil || sum.Broken > 0 {
			t.Fatalf("size %d: %+v, %v", size, sum, err)
		}
		var b bytes.Buffer
		if err := sum.Saved(7).Write(&b); err != nil {
			t.Fatal(err)
		}
		saved, err := verify.ReadSaved(bytes.NewReader(b.Bytes()))
		if err != nil || saved.At() != 7 || saved.Origin() != origin {
			t.Fatalf("size %d: %v", size, err)
		}
		read := 0
		again, err := verify.Audit(context.Background(), verify.DirSource(files), honest, verify.AuditOptions{Resume: saved,
			Each: func(int64, record.Checked, rules.Standing) { read++ }})
		if err != nil || again.Broken > 0 || read != len(entries)-size || again.Resumed != int64(size) {
			t.Fatalf("resumed at %d: %+v, %v, %d read", size, again, err, read)
		}
		if again.Effective != whole.sum.Effective || again.Void != whole.sum.Void || again.Entries != whole.sum.Entries ||
			!slices.Equal(again.Duties, whole.sum.Duties) || !slices.Equal(again.Gaps, whole.sum.Gaps) {
			t.Errorf("resumed at %d: %+v\nwant %+v", size, again, whole.sum)
		}
		file = b.Bytes()
	}
	for i := 0; i < len(file); i += 97 {
		bad := bytes.Clone(file)
		bad[i] ^= 4
		if _, err := verify.ReadSaved(bytes.NewReader(bad)); !errors.Is(err, verify.ErrSaved) {
			t.Errorf("byte %d changed: %v, want ErrSaved", i, err)
		}
		if _, err := verify.ReadSaved(bytes.NewReader(file[:i])); !errors.Is(err, verify.ErrSaved) {
			t.Errorf("cut at byte %d: %v, want ErrSaved", i, err)
		}
	}
	if _, err := verify.ReadSaved(bytes.NewReader(append(file, 0))); !errors.Is(err, verify.ErrSaved) {
		t.Errorf("lengthened: %v, want ErrSaved", err)
	}
}

// TestResumeElsewhere: a kept audit of another history is evidence, of another
// log it is refused.
func TestResumeElsewhere(t *testing.T) {
	entries := historyEntries(t)
	key := historyLogKey(t)
	honest := parsePolicy(t, "log "+key.String(), "quorum none")
	l := newForgedLog(t, key, entries[:100]...)
	sum, _, err := auditOf(l.files, honest)
	if err != nil {
		t.Fatal(err)
	}
	saved := sum.Saved(1)
	fork := newForgedLog(t, key, slices.Delete(slices.Clone(entries), 50, 51)...)
	var found []verify.Finding
	sum, err = verify.Audit(context.Background(), verify.DirSource(fork.files), honest, verify.AuditOptions{Resume: saved,
		Found: func(f verify.Finding) { found = append(found, f) }})
	if err != nil || sum.Resumed != 0 || found[0].Code != verify.AuditFork || found[0].Fork.Check() != nil || sum.Saved(1) != nil {
		t.Errorf("%+v, %v, found %+v", sum, err, found)
	}
	if _, err := honest.Open(found[0].Fork.OldNote); err != nil {
		t.Errorf("the evidence has no old checkpoint: %v", err)
	}
	golden := goldenMirror(t)
	if _, err := verify.Audit(context.Background(), verify.DirSource(golden), goldenPolicy(t), verify.AuditOptions{Resume: saved}); !errors.Is(err, verify.ErrSaved) {
		t.Errorf("a kept audit of another log: %v, want ErrSaved", err)
	}
}

// TestTimes: what cosignatures prove of the time, with nested quorums.
func TestTimes(t *testing.T) {
	var lines []string
	for _, n := range []string{"a", "b", "c"} {
		lines = append(lines, "witness "+n+" "+newSigner(t, n, verify.Ed25519Cosignature, n).String())
	}
	p := parsePolicy(t, append(lines, "group two 2 a b c", "quorum two")...)
	at := func(pairs ...any) (all []verify.Cosignature) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, verify.Cosignature{Name: pairs[i].(string), Time: int64(pairs[i+1].(int))})
		}
		return all
	}
	for _, test := range []struct {
		cosigned      []verify.Cosignature
		before, after int64
		ok            bool
	}{
		{at("a", 10, "b", 20, "c", 30), 20, 20, true},
		{at("a", 10, "b", 20), 10, 20, true},
		{at("c", 10, "a", 10), 10, 10, true},
		{at("a", 10), 0, 0, false},
		{at("a", 10, "b", 0), 0, 0, false}, // it does not say when
		{at("a", 10, "b", 0, "c", 5), 5, 10, true},
		{append(at("a", 10, "c", 5), verify.Cosignature{Name: "b", Time: 253402300800}), 5, 10, true}, // after the year 9999
		{append(at("a", 10), verify.Cosignature{Name: "b", Time: 253402300800}), 0, 0, false},
		{nil, 0, 0, false},
	} {
		if before, after, ok := p.Times(test.cosigned); before != test.before || after != test.after || ok != test.ok {
			t.Errorf("%v: %d, %d, %v; want %d, %d, %v", test.cosigned, before, after, ok, test.before, test.after, test.ok)
		}
	}
	if _, _, ok := parsePolicy(t, "log "+newSigner(t, origin, verify.Ed25519, "l").String(), "quorum none").Times(at("a", 10)); ok {
		t.Error("a policy without witnesses proves a time")
	}
}
