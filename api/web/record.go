package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A recordView is what the page of a record shows.
type recordView struct {
	ID     record.ID
	Index  int64
	Kind   string
	Title  title
	At     record.Time
	URL    string
	Policy string // the trust policy that the command lines name
	State  state
	Glance rows
	Texts  []textView
	Clause []clauseView
	// Unshown are grounds whose clause no receipt shows; NoGround says what
	// it means that there are none.
	Unshown  rows
	NoGround string
	Before   []step     // measures and warnings earlier in the case
	Weighed  []textView // milder measures, and why not
	Alike    []hitView  // like cases that the signers named
	// Unknown are like cases that are named and not here, Likes the search for
	// what was decided under the same clause on the same service.
	Unknown rows
	Likes   string
	Origins rows
	DSA     rows
	Changes []record.Correction
	// Corrected are the corrections of this record that were made later.
	Corrected []correction
	Clauses   []clauseText // of a policy that is published
	Signers   []signerView
	Times     timesView
	Appeal    *appealView
	Case      *caseView
	About     []hitView // records that name this one
	AboutAll  string    // the search for all of them, if there are more
	Missing   string    // why the receipt does not show all
	JSON      string
}

// A correction is an effective erratum.
type correction struct {
	ID      record.ID
	Changes []record.Correction
}

// A textView is a text of a record under its heading.
type textView struct {
	Heading string
	Text    prose
}

// A clauseText is a clause of a policy.
type clauseText struct {
	record.Clause
	Lang  string
	Terms []string
}

// A signerView is a signature.
type signerView struct {
	Holder   string
	Roles    string
	KID      string
	Dated    record.Time
	Enrolled int64
	Listed   bool // the key has a page
	Note     string
}

// known is what is at hand of a record.
type known struct {
	ledger.Entry
	*record.Unverified
	proven  *verify.Proven // nil if the receipt does not show who signed it
	missing string         // why
	terms   record.Terms
}

// Record is the page of a record, by its id.
func (p *Pages) Record(w http.ResponseWriter, r *http.Request) error {
	k, err := p.known(r.Context(), record.ID(r.PathValue("id")))
	if err != nil {
		return err
	}
	v, err := p.recordView(r.Context(), k)
	if err != nil {
		return err
	}
	v.URL = p.url(r)
	return p.render(w, r, http.StatusOK, "record.html", v)
}

// known reads a record, and checks its receipt as a reader would who trusts the
// keys and witnesses that the charter names.
func (p *Pages) known(ctx context.Context, id record.ID) (*known, error) {
	e, err := p.ledger.Record(ctx, id)
	if err != nil {
		return nil, err
	}
	k := &known{Entry: e}
	if k.Unverified, err = record.Parse(e.Record); err != nil {
		return nil, fmt.Errorf("record %s of the log: %w", id, err)
	}
	if k.terms, err = p.ledger.Terms(ctx); err != nil {
		return nil, err
	}
	b, err := p.ledger.Receipt(ctx, id)
	if err != nil {
		return nil, err
	}
	receipt, err := verify.ParseReceipt(b)
	if err != nil {
		return nil, err
	}
	policies, err := ownPolicies(&k.terms)
	if err != nil {
		return nil, err
	}
	k.proven, err = policies.Check(receipt, verify.CheckOptions{})
	switch {
	case errors.Is(err, verify.ErrNotShown):
		k.missing = err.Error()
	case err != nil:
		return nil, fmt.Errorf("the receipt of %s: %w", id, err)
	}
	return k, nil
}

// ownPolicies trust the keys that the charter names, and its witnesses as far as
// they have cosigned: the newest checkpoint has no cosignatures yet.
func ownPolicies(t *record.Terms) (verify.Policies, error) {
	var keys strings.Builder
	for _, key := range t.LogKeys {
		keys.WriteString("log " + key + "\n")
	}
	var all verify.Policies
	for _, rest := range []string{strings.Join(t.Witnesses, "\n"), rules.NoWitnesses} {
		policy, err := verify.ParsePolicy([]byte(keys.String() + rest + "\n"))
		if err != nil {
			return nil, fmt.Errorf("the charter as a trust policy: %w", err)
		}
		all = append(all, policy)
	}
	return all, nil
}

func (p *Pages) recordView(ctx context.Context, k *known) (*recordView, error) {
	payload := k.Payload()
	v := &recordView{ID: k.Entry.ID, Index: k.Index, Kind: typeWords[payload.Head().Type], Title: titleOf(payload),
		At: dated(payload, k.Headers()), Glance: rowsOf(payload), Texts: textsOf(payload), Times: timesOf(k.Unverified, k.proven), Missing: k.missing}
	name := caseOf(payload)
	if name == "" {
		name = p.caseAbout(ctx, payload)
	}
	var stands ledger.Stands
	var err error
	if name != "" {
		v.Case, stands, err = p.caseOf(ctx, name, 0, caseOnRecord, k.Entry.ID)
		if err == nil && v.Case.Next != 0 && v.Case.Next <= k.Index { // a long case: from this record on
			v.Case, stands, err = p.caseOf(ctx, name, k.Index, caseOnRecord, k.Entry.ID)
		}
		if err != nil {
			return nil, err
		}
	}
	v.State = stateOf(k, stands)
	switch payload := payload.(type) {
	case *record.Decision:
		v.decision(payload, k, stands)
		if err := p.alike(ctx, v, payload); err != nil {
			return nil, err
		}
	case *record.Erratum:
		v.Changes = payload.Corrections
	case *record.PolicyPublish:
		for _, c := range payload.Clauses {
			v.Clauses = append(v.Clauses, clauseText{c, payload.Lang, clauseTerms(c)})
		}
	}
	if v.Signers, err = p.signers(ctx, k); err != nil {
		return nil, err
	}
	if err := p.about(ctx, v); err != nil {
		return nil, err
	}
	v.JSON, err = pretty(k.PayloadBytes())
	return v, err
}

// decision adds what only decisions have.
func (v *recordView) decision(d *record.Decision, k *known, stands ledger.Stands) {
	v.Clause, v.Unshown = clauses(k.proven, d)
	if len(d.Grounds) == 0 {
		v.NoGround = "No published rule is named."
		if d.Action == record.Decline || d.Action == record.Forward {
			v.NoGround = "No published rule is named, and none is needed: that no rule permits a measure is the ground for taking none."
		}
	}
	for _, a := range d.Alternatives {
		v.Weighed = append(v.Weighed, textView{valueText(index.Action, string(a.Action)), newProse(d.Lang, a.WhyNot)})
	}
	v.Origins = origins(d)
	v.DSA = dsaRows(d.DSA)
	for _, s := range v.Case.Steps {
		if s.Index < k.Index && s.Standing.Effective() && s.tried {
			v.Before = append(v.Before, s)
		}
	}
	v.Appeal = appealOf(d, k, stands)
}

// alike adds the like cases that a decision names, with where they stand now.
func (p *Pages) alike(ctx context.Context, v *recordView, d *record.Decision) error {
	var named []index.Hit
	var unknown []record.ID
	for _, id := range d.Precedents {
		e, err := p.ledger.Record(ctx, id)
		if errors.Is(err, fs.ErrNotExist) { // the decision is void for it
			unknown = append(unknown, id)
			continue
		}
		if err != nil {
			return err
		}
		u, err := record.Parse(e.Record)
		if err != nil {
			return fmt.Errorf("record %s of the log: %w", id, err)
		}
		named = append(named, index.Hit{Entry: e, Payload: u.Payload(), Headers: u.Headers(), Time: index.TimeOf(u)})
	}
	v.Unknown.records("Named, and not in this ledger", unknown...)
	for _, g := range d.Grounds {
		if g.Policy != "" && v.Likes == "" {
			q := index.Query{Where: map[index.Field][]string{index.Type: {string(record.TypeDecision)}, index.Layer: {string(d.ServiceLayer)},
				index.Standing: {"effective"}}}
			v.Likes = searchURL(q, index.Clause, fmt.Sprintf("%s/%d/%s", g.Policy, g.Version, g.Clause))
		}
	}
	var err error
	v.Alike, err = p.hits(ctx, named)
	return err
}

// about adds the records that name this one, but for those that stand in its case.
func (p *Pages) about(ctx context.Context, v *recordView) error {
	const most = 8
	q := index.Query{Where: map[index.Field][]string{index.About: {string(v.ID)}}, Oldest: true}
	found, err := p.index.Search(ctx, q, ledger.Page{Limit: most})
	if err != nil {
		return err
	}
	var others []index.Hit
	for _, h := range found.Items {
		if e, ok := h.Payload.(*record.Erratum); ok && h.Standing.Effective() {
			v.Corrected = append(v.Corrected, correction{h.ID, e.Corrections})
		}
		if !v.Case.has(h.ID) {
			others = append(others, h)
		}
	}
	if v.About, err = p.hits(ctx, others); err != nil {
		return err
	}
	if found.More {
		v.AboutAll = searchURL(q, index.About, string(v.ID))
	}
	return nil
}

// caseAbout is the case of the record that another speaks about, "" if there is
// none.
func (p *Pages) caseAbout(ctx context.Context, payload record.Payload) string {
	for _, id := range record.Cited(payload) {
		e, err := p.ledger.Record(ctx, id)
		if err != nil {
			continue // it names what is not here, and is void for it
		}
		if u, err := record.Parse(e.Record); err == nil && caseOf(u.Payload()) != "" {
			return caseOf(u.Payload())
		}
	}
	return ""
}

// signers are who signed, with the roles by which it counts.
func (p *Pages) signers(ctx context.Context, k *known) ([]signerView, error) {
	var all []signerView
	if k.proven == nil {
		for _, h := range k.Headers() {
			_, err := p.ledger.Key(ctx, h.KID)
			all = append(all, signerView{Holder: p.holder(ctx, h.KID), KID: h.KID, Dated: record.Time(h.IAT), Enrolled: -1, Listed: err == nil})
		}
		return all, nil
	}
	for _, s := range k.proven.Signers {
		one := signerView{Holder: s.Holder, Roles: words(s.Roles), KID: s.Header.KID, Dated: record.Time(s.Header.IAT), Enrolled: s.Enrolled, Listed: !s.Filer}
		switch {
		case s.Filer:
			one.Note = "shown, and does not count"
		case s.Recovery:
			one.Note = "a recovery key of the charter"
		}
		all = append(all, one)
	}
	return all, nil
}

// holder is who has a key, "somebody" if the ledger does not know it.
func (p *Pages) holder(ctx context.Context, kid string) string {
	k, err := p.ledger.Key(ctx, kid)
	if err != nil {
		return "somebody"
	}
	return holderOf(k)
}

// holderOf is who has a key. Recovery keys are nobody's in particular.
func holderOf(k ledger.Key) string {
	if k.Recovery {
		return "recovery key"
	}
	return k.Holder
}

// textsOf are the longer texts of a record.
func textsOf(p record.Payload) []textView {
	var all []textView
	add := func(heading, lang, text string) {
		if strings.TrimSpace(text) != "" {
			all = append(all, textView{heading, newProse(lang, text)})
		}
	}
	switch p := p.(type) {
	case *record.Decision:
		add("What happened", p.Lang, p.Facts)
		add("Why it was decided so", p.Lang, p.Reasons)
		add("Why it differs from what was decided before", p.Lang, p.DistinguishingReason)
	case *record.Intake:
		add("What was reported", p.Lang, p.Summary)
	case *record.Notice:
		add("What the subject was told", p.Lang, p.Text)
		add("What can be done against it", p.Lang, p.Redress)
	case *record.Ratification:
		add("Why it was approved", p.Lang, p.Reasons)
	case *record.Appeal:
		add("What is complained about", p.Lang, p.Statement)
	case *record.Ruling:
		add("Why it was ruled so", p.Lang, p.Reasons)
	case *record.Erratum:
		add("Why it is corrected", p.Lang, p.Reasons)
	case *record.Execution:
		add("What the system says", p.Lang, p.Detail)
	case *record.Erasure:
		add("Why it was erased", p.Lang, p.Reasons)
	case *record.PolicyRepeal:
		add("Why it is repealed", p.Lang, p.Reasons)
	case *record.Charter:
		add("What readers should know", p.Lang, p.Text)
	case *record.CharterAmend:
		add("Why it is amended", p.Lang, p.Reasons)
		add("What readers should know", p.Lang, p.Text)
	case *record.Timemark:
		add("The checkpoint, as its witnesses signed it", "", p.Checkpoint)
	}
	return all
}

// pretty is the payload of a record over several lines, with what is hidden in it
// made visible.
func pretty(payload []byte) (string, error) {
	v := jsontext.Value(payload).Clone()
	if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
		return "", err
	}
	return plainLines(string(v)), nil
}
