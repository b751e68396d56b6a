package rules_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// excerpts judges each record of the log as a receipt shows it, with the
// support of docs/format.md, section 6: the codes are those of the whole log,
// less those that need it, and no finding needs it.
func (w *world) excerpts() {
	w.Helper()
	for i, c := range w.checked {
		if i < w.settled {
			continue // once is enough, see TestExcerptsOfSettled
		}
		full := w.standings[i]
		if c == (record.Checked{}) || slices.Contains(full.Codes, rules.CharterMissing) {
			continue // never reached the rules, or nothing can support it
		}
		fold := rules.NewExcerpt(verify.OpenTimemark)
		for _, at := range w.support(int64(i)) {
			if s, err := fold.Apply(at, w.checked[at]); err != nil || !s.Effective() {
				w.Errorf("support %d of record %d: void %v, %v", at, i, s.Codes, err)
			}
		}
		got, err := fold.Apply(int64(i), c)
		if err != nil {
			w.Fatal(err)
		}
		whole := func(c rules.Code) bool { return i > 0 && rules.NeedsWholeLog(c) }
		codes := slices.DeleteFunc(slices.Clone(full.Codes), whole)
		// The end of a key is not in the support, nor what it signed before,
		// nor what lapsed; and an excerpt may know an older time. It says less,
		// never more.
		less := []rules.Code{rules.KeyRevoked, rules.EnrolPossession, rules.KeyExpired, rules.TimeUnmarked,
			rules.HistoricNotPermitted, rules.RetrospectiveForbidden, rules.OrderIncomplete, rules.TimemarkInvalid, rules.EnrolOtherHolder}
		if d, ok := c.Payload().(*record.Decision); ok && slices.ContainsFunc(d.Grounds, func(g record.Ground) bool { return g.Policy == "" }) {
			less = append(less, rules.GroundUnpublished)
		}
		codes = slices.DeleteFunc(codes, func(c rules.Code) bool { return slices.Contains(less, c) && !slices.Contains(got.Codes, c) })
		// Nor can it know what is ratified if that is no decision that waits.
		// Nor that it confirms what a contested key signed: the excerpt has no
		// revocations.
		if _, ok := c.Payload().(*record.Ratification); ok && (slices.Contains(full.Codes, rules.CaseTransition) || w.contestedBefore(i)) {
			codes = got.Codes
		}
		findings := slices.DeleteFunc(slices.Clone(full.Findings), whole)
		if !slices.Equal(got.Codes, codes) || !slices.Equal(got.Findings, findings) {
			w.Errorf("record %d: void %v, findings %v; in an excerpt %v, %v", i, full.Codes, full.Findings, got.Codes, got.Findings)
		}
	}
}

// contestedBefore reports whether a key was said to be compromised before an
// index.
func (w *world) contestedBefore(index int) bool {
	for i, c := range w.checked[:index] {
		if c == (record.Checked{}) || !w.standings[i].Effective() {
			continue
		}
		if p, ok := c.Payload().(*record.KeyRevoke); ok && p.Reason == record.Compromised {
			return true
		}
	}
	return false
}

// support returns the indexes of the records that a receipt shows beside the
// one at an index.
func (w *world) support(index int64) []int64 {
	need := map[int64]bool{}
	var visit func(i int64)
	add := func(i int64) {
		if i < index && w.standings[i].Effective() && !need[i] {
			need[i] = true
			visit(i)
		}
	}
	visit = func(i int64) {
		c := w.checked[i]
		for j, other := range w.checked[:i] {
			if other == (record.Checked{}) {
				continue
			}
			switch p := other.Payload().(type) {
			case *record.Charter:
				add(int64(j))
			case *record.KeyEnrol:
				if slices.ContainsFunc(c.Headers(), func(h record.Header) bool { return h.KID == p.JWK.KID() }) {
					add(int64(j))
				}
			case *record.CharterAmend:
				add(int64(j))
			default:
				if slices.Contains(record.Cited(c.Payload()), other.ID()) {
					add(int64(j))
				}
			}
		}
	}
	visit(index)
	return slices.Sorted(maps.Keys(need))
}

func TestExcerptsOfSettled(t *testing.T) {
	w := settled(t)
	w.settled = 0
	w.excerpts()
}

// TestExcerptOfReinstatement: a receipt of a reinstatement does not show what
// has lapsed, and holds all the same.
func TestExcerptOfReinstatement(t *testing.T) {
	w := settled(t)
	w.must(w.does(w.lapsed(73*hour, record.Reinstate), "dan eve"))
	w.excerpts()
}

// TestNeedsWholeLog: what ends the examination and what a record shows of
// itself is always judged.
func TestNeedsWholeLog(t *testing.T) {
	for _, code := range []rules.Code{record.Malformed, record.KeyUnknown, record.SignatureInvalid, rules.CharterMissing, rules.QuorumShort,
		rules.RoleMissing, rules.GroundNone, rules.GroundWrongLayer, rules.ActionNotPermitted, rules.RatificationDependent, "no.code"} {
		if rules.NeedsWholeLog(code) {
			t.Errorf("%s needs the whole log", code)
		}
	}
}

// TestExplain: a sentence for each code, each with a full stop; else the code.
func TestExplain(t *testing.T) {
	seen := map[rules.Code]bool{}
	for _, s := range rules.Sentences {
		if got := rules.Explain(s.Code); got != s.Text || len(got) < 20 || got[len(got)-1] != '.' || seen[s.Code] {
			t.Errorf("%s: %q", s.Code, got)
		}
		seen[s.Code] = true
	}
	if got := rules.Explain("no.code"); got != "no.code" {
		t.Errorf("Explain(no.code) = %q", got)
	}
}
