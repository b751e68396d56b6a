package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// TestSubmitAll: one record may rest on the one before, each has its own outcome,
// and all are in the log in their order.
func TestSubmitAll(t *testing.T) {
	w := ledgertest.New(t, nil)
	size := w.Seen().Size
	first := w.Decision("case-one")
	b := w.Sign(first, "dora", "erik")
	next := w.Decision("case-one")
	next.Prev, next.Action = record.IDOf(b), record.Terminate
	alone := w.Sign(w.Decision("case-two"), "dora")
	records := [][]byte{
		b,
		w.Sign(next, "dora", "erik"),
		alone,
		[]byte("no record"),
		w.Sign(&record.KeyEnrol{Holder: "hans", JWK: ledgertest.JWK("hans"), Roles: []record.Role{record.RoleDecider}}, "ada", "ben", "hans"),
		w.Sign(w.Decision("case-three"), "dora", "hans"),
		b,
		w.Sign(w.Decision("case-four"), "dora", "nobody"),
		w.Sign(w.Decision("case-five"), "dora", "hans"),
	}
	want := []string{"0", "1", "quorum.short", "record.malformed", "2", "3", "0 known", "key.unknown", "4"}
	var got []string
	for out, err := range w.Ledger.SubmitAll(context.Background(), slices.Values(records), ledger.Options{}) {
		var refused *ledger.RefusedError
		switch {
		case errors.As(err, &refused):
			got = append(got, string(refused.Codes[0]))
		case err != nil:
			t.Fatal(err)
		default:
			text := fmt.Sprint(out.Index - size)
			if out.Known {
				text += " known"
			}
			if len(out.Receipt) == 0 || slices.Contains(out.Standing.Findings, rules.SeqLate) {
				t.Errorf("%+v", out.Standing)
			}
			got = append(got, text)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	audited(t, w)
}

// TestSubmitAllInOrder: many by one key, with no number late, through a queue
// that is smaller than they are.
func TestSubmitAllInOrder(t *testing.T) {
	for _, queue := range []int{1, 16, 4096} {
		w := ledgertest.New(t, func(c *ledger.Config) { c.QueueSize = queue })
		records := benchRecords(w, 300)
		i, size := 0, w.Seen().Size
		for out, err := range w.Ledger.SubmitAll(context.Background(), slices.Values(records), ledger.Options{}) {
			if err != nil || out.Index != size+int64(i) || out.ID != record.IDOf(records[i]) || slices.Contains(out.Standing.Findings, rules.SeqLate) {
				t.Fatalf("queue %d, record %d: %+v, %v", queue, i, out.Standing, err)
			}
			i++
		}
		if i != len(records) || w.Ledger.Taken() != 0 {
			t.Errorf("queue %d: %d outcomes for %d records, %d places taken", queue, i, len(records), w.Ledger.Taken())
		}
		w.Close()
	}
}

// TestSubmitAllEnds: who leaves the loop, or whose context ends, holds nothing.
func TestSubmitAllEnds(t *testing.T) {
	w := ledgertest.New(t, func(c *ledger.Config) { c.QueueSize = 8 })
	records := benchRecords(w, 200)
	for range w.Ledger.SubmitAll(context.Background(), slices.Values(records[:100]), ledger.Options{}) {
		break
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	for range w.Ledger.SubmitAll(ctx, slices.Values(records[100:]), ledger.Options{}) {
		if n++; n == 3 {
			cancel()
		}
	}
	if n == 0 || n == 100 {
		t.Errorf("%d outcomes, want some", n)
	}
	// The same again: what was recorded is known, the rest is recorded now.
	n = 0
	for _, err := range w.Ledger.SubmitAll(context.Background(), slices.Values(records), ledger.Options{}) {
		if n++; err != nil {
			t.Errorf("record %d: %v", n, err)
		}
	}
	if n != len(records) {
		t.Errorf("%d outcomes, want %d", n, len(records))
	}
	audited(t, w)
}

// TestSubmitAllClosed: every record is told.
func TestSubmitAllClosed(t *testing.T) {
	w := ledgertest.New(t, nil)
	records := benchRecords(w, 20)
	if err := w.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range w.Ledger.SubmitAll(context.Background(), slices.Values(records), ledger.Options{}) {
		if n++; !errors.Is(err, ledger.ErrStopping) {
			t.Errorf("record %d: %v, want ErrStopping", n, err)
		}
	}
	if n != len(records) {
		t.Errorf("%d outcomes, want %d", n, len(records))
	}
}

// TestCheckedHook: it is asked for new records whose signatures hold, and its
// word counts.
func TestCheckedHook(t *testing.T) {
	w := ledgertest.New(t, nil)
	no := errors.New("no")
	asked := 0
	opt := ledger.Options{Checked: func(r record.Checked) error {
		if asked++; len(r.Headers()) != 2 {
			t.Errorf("asked about %s", r.Bytes())
		}
		return no
	}}
	b := w.Sign(w.Decision("case-one"), "dora", "erik")
	if _, err := w.Ledger.Submit(context.Background(), b, opt); !errors.Is(err, no) || asked != 1 {
		t.Errorf("got %v, asked %d times", err, asked)
	}
	if _, err := w.Ledger.Submit(context.Background(), w.Sign(w.Decision("case-two"), "nobody"), opt); errors.Is(err, no) || asked != 1 {
		t.Errorf("a stranger: %v, asked %d times", err, asked)
	}
	w.Submit(b)
	if _, err := w.Ledger.Submit(context.Background(), b, opt); err != nil || asked != 1 {
		t.Errorf("known: %v, asked %d times", err, asked)
	}
}
