package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// enrol logs one more holder: a record that needs no policy in force.
func enrol(w *ledgertest.World, name string) ledger.Outcome {
	w.TB.Helper()
	return w.Submit(enrolment(w, name))
}

func enrolment(w *ledgertest.World, name string) []byte {
	w.TB.Helper()
	return w.Sign(&record.KeyEnrol{Holder: name, JWK: ledgertest.JWK(name), Roles: []record.Role{record.RoleDecider}}, "ada", "ben", name)
}

// noMarks leaves out the machine key, so that nothing is logged but what a test
// logs.
func noMarks(c *ledger.Config) { c.Machine = nil }

func served(t *testing.T, w *ledgertest.World) verify.Checkpoint {
	t.Helper()
	note, err := w.Ledger.ReadFile(t.Context(), "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	p, err := verify.ParsePolicy(w.TrustPolicy())
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Open(note)
	if err != nil {
		t.Fatal(err)
	}
	return s.Checkpoint
}

func witnessPolicy(t *testing.T, w *ledgertest.World) *verify.Policy {
	t.Helper()
	p, err := verify.ParsePolicy(w.WitnessPolicy())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTwoHeads: the checkpoint moves with the quorum, the receipts with the log.
func TestTwoHeads(t *testing.T) {
	w := ledgertest.NewWitnessed(t, noMarks)
	strict := witnessPolicy(t, w)
	if got := served(t, w).Size; got != 1 {
		t.Fatalf("before a witness has answered the checkpoint is of size %d, want that of the start, 1", got)
	}
	head := w.Cosign("w1 w3")
	if got := served(t, w); got != head.Checkpoint {
		t.Fatalf("serves %+v, want the witnessed %+v", got, head.Checkpoint)
	}
	for i, cosigned := range []bool{false, true, false, false, true} {
		out := enrol(w, fmt.Sprintf("holder-%d", i))
		before := served(t, w)
		if cosigned {
			head = w.Cosign("w2 w3")
		}
		if got := served(t, w); !cosigned && got != before || got != head.Checkpoint {
			t.Errorf("record %d: serves %+v, want %+v", i, got, head.Checkpoint)
		}
		full, err := w.Ledger.Receipt(t.Context(), out.ID)
		if err != nil {
			t.Fatal(err)
		}
		bare, err := w.Ledger.BareReceipt(t.Context(), out.Index)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{full, bare} {
			r, err := verify.ParseReceipt(text)
			if err != nil {
				t.Fatal(err)
			}
			e, err := w.Ledger.Record(t.Context(), out.ID)
			if err != nil {
				t.Fatal(err)
			}
			r.Extra = nil
			if _, err := r.Check(strict, e.Record); cosigned != (err == nil) || !cosigned && !errors.Is(err, verify.ErrQuorum) {
				t.Errorf("record %d, cosigned %v: its receipt under the witnesses' policy: %v", i, cosigned, err)
			}
		}
		if _, err := w.Ledger.ReadFile(t.Context(), fmt.Sprintf("tile/entries/000.p/%d", out.Index+1)); err != nil {
			t.Errorf("the entry of record %d is not served before it is cosigned: %v", i, err)
		}
	}
	i, err := w.Ledger.Info(t.Context())
	if err != nil || i.Size != w.Ledger.Head().Checkpoint.Size || !bytes.Equal(i.Witnessed, i.Served) {
		t.Errorf("info: size %d, witnessed %q, served %q, %v", i.Size, i.Witnessed, i.Served, err)
	}
	w.Reopen()
	if got := served(t, w); got != head.Checkpoint {
		t.Errorf("after a restart it serves %+v, want %+v", got, head.Checkpoint)
	}
	sum, err := verify.Audit(t.Context(), w.Ledger, strict, verify.AuditOptions{Found: func(f verify.Finding) { t.Errorf("%+v", f) }})
	if err != nil || sum.Signed.Checkpoint != head.Checkpoint {
		t.Errorf("audit: %+v, %v", sum, err)
	}
}

// TestNotTaken: what is no cosigned head of this log changes nothing.
func TestNotTaken(t *testing.T) {
	w := ledgertest.NewWitnessed(t, noMarks)
	first := w.Cosign("w1 w2")
	enrol(w, "gil")
	other := ledgertest.New(t, nil) // the same key, and another charter
	foreign := other.Ledger.Head()
	for range 2 {
		other.Submit(other.Sign(other.Decision(fmt.Sprintf("case-%d", other.Ledger.Head().Checkpoint.Size)), "dora", "erik"))
	}
	head := w.Ledger.Head()
	broken := w.Note(head, "w1 w2")
	broken = bytes.Replace(broken, []byte("— w2"), []byte("— w3"), 1)
	for name, c := range map[string]struct {
		note []byte
		want error
	}{
		"too few":        {w.Note(head, "w1"), verify.ErrQuorum},
		"another tree":   {w.Note(foreign, "w1 w2 w3"), ledger.ErrNotExtended},
		"a larger tree":  {w.Note(other.Ledger.Head(), "w1 w2"), ledger.ErrNotExtended},
		"no log's":       {[]byte(head.Checkpoint.Text() + "\n" + ledgertest.Cosignature("w1", head.Checkpoint, w.Now())), verify.ErrUnknownLog},
		"another letter": {broken, nil},
		"nothing":        {nil, nil},
	} {
		err := w.Ledger.Cosigned(t.Context(), c.note)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if got := served(t, w); got != first.Checkpoint {
		t.Errorf("serves %+v, want %+v", got, first.Checkpoint)
	}
	newer := w.Cosign("w1 w2")
	if err := w.Ledger.Cosigned(t.Context(), w.Note(first, "w2 w3")); err != nil {
		t.Errorf("an older head: %v", err)
	}
	if got := served(t, w); got != newer.Checkpoint {
		t.Errorf("after an older one it serves %+v, want %+v", got, newer.Checkpoint)
	}
	w.Reopen()
	if got := served(t, w); got != newer.Checkpoint {
		t.Errorf("after an older one and a restart it serves %+v, want %+v", got, newer.Checkpoint)
	}
}

// TestCheckpointNeverShrinks: whatever becomes of the directory and of the policy
// between two starts, no reader sees a smaller checkpoint than before.
func TestCheckpointNeverShrinks(t *testing.T) {
	newest := func(w *ledgertest.World) string { return filepath.Join(w.Config.Checkpoints, "newest") }
	for _, c := range []struct {
		name   string
		change func(t *testing.T, w *ledgertest.World) // while it is closed
		halts  bool
	}{
		{"nothing", func(*testing.T, *ledgertest.World) {}, false},
		{"newest is gone", func(t *testing.T, w *ledgertest.World) { check(t, os.Remove(newest(w))) }, false},
		{"all is gone", func(t *testing.T, w *ledgertest.World) { check(t, os.RemoveAll(w.Config.Checkpoints)) }, false},
		{"newest is cut", func(t *testing.T, w *ledgertest.World) { check(t, os.Truncate(newest(w), 40)) }, false},
		{"newest is empty", func(t *testing.T, w *ledgertest.World) { check(t, os.Truncate(newest(w), 0)) }, false},
		{"a letter of newest", func(t *testing.T, w *ledgertest.World) {
			b, err := os.ReadFile(newest(w))
			check(t, err)
			b[len(b)/2] ^= 1
			check(t, os.WriteFile(newest(w), b, 0o600))
		}, false},
		{"another quorum", func(t *testing.T, w *ledgertest.World) {
			p, err := verify.ParsePolicy([]byte("log " + w.VKey() + "\nwitness w1 " + ledgertest.WitnessKey("w1").String() + "\nquorum w1\n"))
			check(t, err)
			w.Config.WitnessPolicy = p
		}, false},
		{"a time without a policy", func(t *testing.T, w *ledgertest.World) {
			policy := w.Config.WitnessPolicy
			w.Config.WitnessPolicy = nil
			w.OpenLedger()
			enrol(w, "hal")
			if got := served(t, w); got != w.Ledger.Head().Checkpoint {
				t.Errorf("without a policy it serves %+v", got)
			}
			check(t, w.Ledger.Close())
			w.Config.WitnessPolicy = policy
		}, false},
		{"newest of another history", func(t *testing.T, w *ledgertest.World) {
			other := ledgertest.New(t, nil)
			check(t, os.WriteFile(newest(w), other.Ledger.Head().Note, 0o600))
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ledgertest.NewWitnessed(t, noMarks)
			w.Cosign("w2 w3")
			enrol(w, "gil")
			seen := served(t, w).Size
			w.Close()
			w.OpenParts()
			w.Config.Machine = nil
			c.change(t, w)
			l, err := ledger.Open(t.Context(), w.Config)
			if c.halts {
				if !errors.Is(err, ledger.ErrHalted) || !strings.Contains(err.Error(), newest(w)[:len(newest(w))-7]) {
					t.Errorf("open: %v, want a halt that names the directory", err)
				}
				w.CloseParts()
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			w.Ledger = l
			for i := range 4 {
				if got := served(t, w).Size; got < seen {
					t.Errorf("serves size %d after %d", got, seen)
				} else {
					seen = got
				}
				if i == 2 {
					w.Cosign("w1 w2")
				}
				enrol(w, fmt.Sprintf("ida-%d", i))
			}
			if got, want := served(t, w).Size, w.Ledger.Head().Checkpoint.Size-2; got != want {
				t.Errorf("serves size %d at last, want the witnessed %d", got, want)
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestKept: every witnessed checkpoint is found by what it covers; after a month
// one an hour is left, whatever this machine's clock says.
func TestKept(t *testing.T) {
	w := ledgertest.NewWitnessed(t, noMarks)
	var sizes []int64
	step := func(d time.Duration) {
		w.Advance(d)
		enrol(w, fmt.Sprintf("holder-%d", len(sizes)))
		sizes = append(sizes, w.Cosign("w1 w2").Checkpoint.Size)
	}
	covers := func(index int64) int64 {
		t.Helper()
		note, err := w.Ledger.Checkpoint(t.Context(), index)
		if err != nil {
			t.Fatalf("covers %d: %v", index, err)
		}
		s, err := witnessPolicy(t, w).Open(note)
		check(t, err)
		return s.Checkpoint.Size
	}
	for range 8 {
		step(20 * time.Minute)
		enrol(w, fmt.Sprintf("uncovered-%d", len(sizes))) // so that not every size has one
	}
	for range 2 {
		for index := range sizes[7] {
			want := sizes[slices.IndexFunc(sizes, func(s int64) bool { return s > index })]
			if got := covers(index); got != want {
				t.Errorf("covers %d: size %d, want %d", index, got, want)
			}
		}
		if _, err := w.Ledger.Checkpoint(t.Context(), sizes[7]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what no witness has seen: %v", err)
		}
		w.Reopen()
	}
	first, err := w.Ledger.Checkpoint(t.Context(), 0)
	check(t, err)
	check(t, w.Ledger.Cosigned(t.Context(), w.Note(w.Ledger.Head(), "w2 w3")))
	step(31 * 24 * time.Hour)
	again, err := w.Ledger.Checkpoint(t.Context(), 0)
	if err != nil || !bytes.Equal(first, again) {
		t.Errorf("after a month the first one is %q, %v, want %q", again, err, first)
	}
	// 08:20 08:40 | 09:00 09:20 09:40 | 10:00 10:20 10:40
	for i, want := range []int64{sizes[0], sizes[2], sizes[2], sizes[5], sizes[5], sizes[5]} {
		if got := covers(sizes[i] - 1); got != want {
			t.Errorf("after a month, what size %d was first to cover: size %d, want %d", sizes[i], got, want)
		}
	}
	if got := covers(sizes[7]); got <= sizes[7] {
		t.Errorf("the newest: %d", got)
	}
	check(t, os.WriteFile(filepath.Join(w.Config.Checkpoints, fmt.Sprintf("%016d", sizes[2])), []byte("?"), 0o600))
	if got := covers(sizes[2] - 1); got != sizes[5] {
		t.Errorf("with a damaged file: size %d, want the next one, %d", got, sizes[5])
	}
}

// TestAwait: whoever waits for witnesses is let go when they have cosigned, and on
// every other way out, and nobody's place is taken meanwhile.
func TestAwait(t *testing.T) {
	w := ledgertest.NewWitnessed(t, noMarks)
	out := enrol(w, "gil")
	begin := func(ctx context.Context, index int64) chan error {
		done := make(chan error, 1)
		go func() { done <- w.Ledger.AwaitWitnessed(ctx, index) }()
		return done
	}
	ctx, cancel := context.WithCancel(t.Context())
	given, waits, later := begin(ctx, out.Index), begin(t.Context(), out.Index), begin(t.Context(), out.Index+1)
	cancel()
	if err := <-given; !errors.Is(err, ledger.ErrPending) || !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: %v", err)
	}
	if n := w.Ledger.Taken(); n != 0 {
		t.Errorf("%d places of the queue are taken", n)
	}
	w.Cosign("w1 w2")
	if err := <-waits; err != nil {
		t.Errorf("cosigned: %v", err)
	}
	if err := w.Ledger.AwaitWitnessed(t.Context(), out.Index); err != nil {
		t.Errorf("who comes later: %v", err)
	}
	check(t, w.Ledger.Close())
	if err := <-later; !errors.Is(err, ledger.ErrStopping) {
		t.Errorf("closed: %v", err)
	}
	if err := ledgertest.New(t, nil).Ledger.AwaitWitnessed(t.Context(), 0); !errors.Is(err, ledger.ErrNoWitnesses) {
		t.Errorf("without witnesses: %v", err)
	}
	halts := ledgertest.NewWitnessed(t, noMarks)
	done := make(chan error, 1)
	go func() { done <- halts.Ledger.AwaitWitnessed(context.Background(), 99) }()
	halts.Ledger.Halt(errors.New("two histories"))
	if err := <-done; !errors.Is(err, ledger.ErrHalted) {
		t.Errorf("halted: %v", err)
	}
	if _, err := halts.Ledger.Submit(t.Context(), enrolment(halts, "gil"), ledger.Options{}); !errors.Is(err, ledger.ErrHalted) {
		t.Errorf("a record after the halt: %v", err)
	}
}

// TestAsked: what those who ask the witnesses need of a log.
func TestAsked(t *testing.T) {
	w := ledgertest.NewWitnessed(t, noMarks)
	before := w.Ledger.Head()
	grown, large := w.Ledger.Grown(before.Checkpoint.Size), w.Ledger.Grown(before.Checkpoint.Size+1)
	select {
	case <-grown:
		t.Fatal("has not grown")
	default:
	}
	enrol(w, "gil")
	<-grown
	select {
	case <-large:
		t.Fatal("has not grown above its size")
	case <-w.Ledger.Grown(before.Checkpoint.Size): // also for who asks later
	}
	enrol(w, "hal")
	<-large
	after := w.Ledger.Head()
	proof, err := w.Ledger.Consistency(t.Context(), before.Checkpoint.Size, after.Checkpoint.Size)
	if err == nil {
		err = tlog.CheckTree(proof, after.Checkpoint.Size, after.Checkpoint.Root, before.Checkpoint.Size, before.Checkpoint.Root)
	}
	if err != nil {
		t.Errorf("consistency: %v", err)
	}
	for _, c := range [][2]int64{{0, 1}, {-1, 2}, {3, 2}, {1, after.Checkpoint.Size + 1}} {
		if _, err := w.Ledger.Consistency(t.Context(), c[0], c[1]); err == nil {
			t.Errorf("consistency of %v: no error", c)
		}
	}
	changed, larger := before.Checkpoint, after.Checkpoint
	changed.Root[0] ^= 1
	larger.Size++
	for _, c := range []struct {
		name string
		c    verify.Checkpoint
		want error
	}{
		{"before", before.Checkpoint, nil}, {"now", after.Checkpoint, nil},
		{"empty", verify.Checkpoint{Origin: ledgertest.Origin, Root: verify.EmptyRoot}, nil},
		{"changed", changed, ledger.ErrNotExtended}, {"larger", larger, ledger.ErrNotExtended},
		{"another log", verify.Checkpoint{Origin: "other.example", Size: 1}, verify.ErrOrigin},
	} {
		if err := w.Ledger.Extends(t.Context(), c.c); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestBeforeSigning: nothing is signed before those who were asked agree, also if
// a crash left a tree that is committed and not signed.
func TestBeforeSigning(t *testing.T) {
	h := &hookedLog{}
	w := ledgertest.NewWitnessed(t, func(c *ledger.Config) {
		h.Log, c.Machine = c.Log, nil
		c.Log = h
	})
	signed := w.Ledger.Head().Checkpoint.Size
	check(t, w.Ledger.BreakGuard())
	if _, err := w.Ledger.Submit(t.Context(), enrolment(w, "gil"), ledger.Options{}); !errors.Is(err, ledger.ErrHalted) {
		t.Fatalf("submit: %v", err)
	}
	w.Ledger.Close() // its guard is closed already
	w.CloseParts()
	w.OpenParts()
	guard, err := os.ReadFile(w.Config.Guard)
	check(t, err)
	disagree := errors.New("a witness has seen more")
	w.Config.BeforeSigning = func(ctx context.Context, l *ledger.Ledger) error {
		head := l.Head().Checkpoint
		if head.Size != signed+1 || l.Extends(ctx, head) != nil {
			t.Errorf("asked about %+v, want the committed tree of size %d", head, signed+1)
		}
		return disagree
	}
	if _, err := ledger.Open(t.Context(), w.Config); !errors.Is(err, disagree) {
		t.Errorf("open: %v", err)
	}
	if now, err := os.ReadFile(w.Config.Guard); err != nil || !bytes.Equal(now, guard) {
		t.Errorf("something was signed: %v", err)
	}
	w.Config.BeforeSigning = func(context.Context, *ledger.Ledger) error { return nil }
	w.OpenLedger()
	if got := w.Ledger.Head().Checkpoint.Size; got != signed+1 {
		t.Errorf("size %d, want %d", got, signed+1)
	}
}

// TestQuorumLost loses the witnesses under load: no record is lost or waits, and
// when they are back one checkpoint covers them all.
func TestQuorumLost(t *testing.T) {
	w := ledgertest.NewWitnessed(t, nil)
	w.Cosign("w1 w2 w3")
	lost := served(t, w).Size
	const callers, each = 8, 12
	var wg sync.WaitGroup
	outs := make(chan ledger.Outcome, callers*each)
	for n := range callers {
		wg.Go(func() {
			for i := range each {
				out, err := w.Ledger.Submit(context.Background(), enrolment(w, fmt.Sprintf("c%d-%d", n, i)), ledger.Options{})
				if err != nil {
					t.Errorf("submit: %v", err)
					return
				}
				outs <- out
			}
		})
	}
	for range 20 {
		_ = w.Ledger.Cosigned(t.Context(), w.Note(w.Ledger.Head(), "w2")) // one of three: never enough
	}
	wg.Wait()
	close(outs)
	if got := served(t, w).Size; got != lost {
		t.Errorf("without a quorum the checkpoint went from size %d to %d", lost, got)
	}
	w.Advance(2 * time.Minute)
	w.Cosign("w2 w3")
	n := 0
	for out := range outs {
		n++
		full, err := w.Ledger.Receipt(t.Context(), out.ID)
		check(t, err)
		r, err := verify.ParseReceipt(full)
		check(t, err)
		if _, err := r.Check(witnessPolicy(t, w), nil); err != nil {
			t.Errorf("record %d after the quorum is back: %v", out.Index, err)
		}
	}
	if n != callers*each {
		t.Errorf("%d records, want %d", n, callers*each)
	}
}

// TestAuditBehind audits a log whose served checkpoint is behind what it has
// signed: with the newer one in hand that is no accusation, as long as the log has
// the rest.
func TestAuditBehind(t *testing.T) {
	w := ledgertest.NewWitnessed(t, noMarks)
	w.Cosign("w1 w2")
	small := w.Files()
	for i := range 3 {
		enrol(w, fmt.Sprintf("holder-%d", i))
	}
	own := plain(t, w)
	held, err := own.Open(w.Ledger.Head().Note)
	check(t, err)
	other := ledgertest.New(t, nil)
	for i := range 4 {
		other.Submit(other.Sign(other.Decision(fmt.Sprintf("case-%d", i)), "dora", "erik"))
	}
	forked, err := own.Open(other.Ledger.Head().Note)
	check(t, err)
	for _, c := range []struct {
		name string
		src  verify.Source
		held verify.Signed
		want string
	}{
		{"served with the rest", w.Ledger, held, "audit.behind"},
		{"without the rest", folder(small), held, "audit.smaller"},
		{"another history", w.Ledger, forked, "audit."},
	} {
		var codes []string
		sum, err := verify.Audit(t.Context(), c.src, own, verify.AuditOptions{Earlier: []verify.Signed{c.held}, Found: func(f verify.Finding) {
			codes = append(codes, string(f.Code))
		}})
		if err != nil || len(codes) != 1 || !strings.HasPrefix(codes[0], c.want) || (sum.Broken == 0) != (c.want == "audit.behind") {
			t.Errorf("%s: %v, %+v, %v", c.name, codes, sum, err)
		}
	}
}

// folder is a log as files.
type folder map[string][]byte

func (f folder) ReadFile(_ context.Context, path string) ([]byte, error) {
	b, ok := f[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return b, nil
}
