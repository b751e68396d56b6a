package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// policiesOnPage is how many policies the list shows.
const policiesOnPage = 200

// A policyLine is a policy in the list.
type policyLine struct {
	rules.PolicyInfo
	Title     string
	State     mark
	Since     record.Time
	Decisions int64
}

// A mark is a state in a word; Class is that of the style.
type mark struct{ Class, Word string }

// Policies is the list of the policies.
func (p *Pages) Policies(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	list, err := p.ledger.Policies(ctx, ledger.Page{Limit: policiesOnPage, After: r.URL.Query().Get("cursor")})
	if err != nil {
		return err
	}
	v := struct {
		Policies []policyLine
		Next     string
		Past     bool // the page is past the end
	}{Past: r.URL.Query().Get("cursor") != ""}
	for _, info := range list.Items {
		line := policyLine{PolicyInfo: info, State: policyState(info), Since: since(info)}
		newest, err := p.version(ctx, info.Versions[len(info.Versions)-1])
		if err != nil {
			return err
		}
		line.Title = newest.Title
		if line.Decisions, err = p.citing(ctx, index.Policy, info.Policy); err != nil {
			return err
		}
		v.Policies = append(v.Policies, line)
	}
	if list.More {
		v.Next = list.Items[len(list.Items)-1].Policy
	}
	return p.render(w, r, http.StatusOK, "policies.html", v)
}

// policyState says where a policy stands.
func policyState(info rules.PolicyInfo) mark {
	switch {
	case info.Historic:
		return mark{"", "from before the ledger"}
	case info.InForce > 0 && info.Repealed:
		return mark{"warn", "repealed, and still in force"}
	case info.Repealed:
		return mark{"void", "repealed"}
	case info.InForce > 0:
		return mark{"ok", "in force"}
	}
	return mark{"warn", "not yet in force"}
}

// since is from when on the version in force is, 0 if that is not known.
func since(info rules.PolicyInfo) record.Time {
	for _, v := range info.Versions {
		if v.Version == info.InForce {
			return v.Start
		}
	}
	return 0
}

// citing counts the effective decisions with a value of a field.
func (p *Pages) citing(ctx context.Context, f index.Field, value string) (int64, error) {
	q := decisionsOf(f, value)
	counts, err := p.index.Count(ctx, q, 1, index.Type)
	return counts.Total, err
}

func decisionsOf(f index.Field, value string) index.Query {
	return index.Query{Where: map[index.Field][]string{index.Type: {string(record.TypeDecision)}, f: {value}}}
}

// A versionView is a version of a policy.
type versionView struct {
	*record.PolicyPublish
	ID      record.ID
	Index   int64
	Start   record.Time
	Signed  record.Time
	Signers []string
	State   mark
}

// Before is the version before, 0 if there is none.
func (v *versionView) Before() int64 { return v.Version - 1 }

// version reads a version of a policy.
func (p *Pages) version(ctx context.Context, info rules.VersionInfo) (*versionView, error) {
	e, err := p.ledger.Record(ctx, info.Record)
	if err != nil {
		return nil, err
	}
	u, err := record.Parse(e.Record)
	if err != nil {
		return nil, fmt.Errorf("record %s of the log: %w", e.ID, err)
	}
	text, ok := u.Payload().(*record.PolicyPublish)
	if !ok {
		return nil, fmt.Errorf("record %s of the log publishes no policy", e.ID)
	}
	v := &versionView{PolicyPublish: text, ID: e.ID, Index: e.Index, Start: info.Start}
	for _, h := range u.Headers() {
		v.Signers = append(v.Signers, p.holder(ctx, h.KID))
		v.Signed = max(v.Signed, record.Time(h.IAT))
	}
	return v, nil
}

// A policyClause is a clause of a version.
type policyClause struct {
	record.Clause
	Lang      string
	Terms     []string
	Decisions int64
	Search    string
}

// A policyView is a policy with its versions, one of them in full, or two side by side.
type policyView struct {
	rules.PolicyInfo
	State    mark
	Versions []*versionView // the newest first
	Shown    *versionView
	Clauses  []policyClause
	From, To *versionView // nil unless two are compared
	Changes  []clauseChange
}

// Unchanged are the clauses that are the same in both versions.
func (v policyView) Unchanged() []clauseChange {
	return slices.DeleteFunc(slices.Clone(v.Changes), func(c clauseChange) bool { return !c.Same() })
}

// Policy is the page of a policy: the version in force, or two versions side by side.
func (p *Pages) Policy(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	info, err := p.ledger.Policy(ctx, r.PathValue("policy"))
	if err != nil {
		return err
	}
	v := policyView{PolicyInfo: info, State: policyState(info)}
	for _, one := range info.Versions {
		version, err := p.version(ctx, one)
		if err != nil {
			return err
		}
		version.State = versionState(info, one)
		v.Versions = append(v.Versions, version)
		if one.Version == info.InForce || v.Shown == nil || info.InForce == 0 {
			v.Shown = version
		}
	}
	slices.Reverse(v.Versions)
	if err := v.choose(r.URL.Query().Get("from"), r.URL.Query().Get("to"), r.URL.Query().Get("version")); err != nil {
		return err
	}
	if v.From != nil {
		v.Changes = changes(v.From.PolicyPublish, v.To.PolicyPublish)
		return p.render(w, r, http.StatusOK, "policy.html", v)
	}
	for _, c := range v.Shown.PolicyPublish.Clauses {
		name := fmt.Sprintf("%s/%d/%s", info.Policy, v.Shown.Version, c.Clause)
		n, err := p.citing(ctx, index.Clause, name)
		if err != nil {
			return err
		}
		v.Clauses = append(v.Clauses, policyClause{c, v.Shown.Lang, clauseTerms(c), n, searchPath(decisionsOf(index.Clause, name).Values())})
	}
	return p.render(w, r, http.StatusOK, "policy.html", v)
}

// versionState says where a version of a policy stands.
func versionState(info rules.PolicyInfo, v rules.VersionInfo) mark {
	switch {
	case info.Historic:
		return mark{"", "from before the ledger"}
	case v.Version == info.InForce:
		return mark{"ok", "in force"}
	case v.Version > info.InForce && !info.Repealed:
		return mark{"warn", "not yet in force"}
	}
	return mark{"", "replaced"}
}

// choose reads which version is shown, or which two are compared.
func (v *policyView) choose(from, to, shown string) error {
	find := func(name, text string) (*versionView, error) {
		n, err := strconv.ParseInt(text, 10, 64)
		for _, one := range v.Versions {
			if err == nil && one.Version == n {
				return one, nil
			}
		}
		return nil, problem.New(http.StatusBadRequest, problem.BadQuery,
			fmt.Sprintf("%s is %.20q: policy %s has the versions 1 to %d", name, text, v.Policy, v.Versions[0].Version))
	}
	var err error
	if shown != "" {
		if v.Shown, err = find("version", shown); err != nil {
			return err
		}
	}
	if from == "" && to == "" {
		return nil
	}
	if v.From, err = find("from", from); err == nil {
		v.To, err = find("to", to)
	}
	return err
}

// A clauseChange says what became of a clause from one version to another.
type clauseChange struct {
	Name string
	// What is "new", "gone", "changed" or "the same".
	What  mark
	Title []piece
	Text  [][]piece // by paragraph
	Terms []piece   // sentences
}

// A side is a clause in one of two versions.
type side struct {
	Label string
	Text  [][]piece
	Terms []piece
}

// Sides returns the clause before and after; one that is not there has no text.
func (c clauseChange) Sides() []side {
	return []side{c.side("Before", "add"), c.side("After", "cut")}
}

// side leaves pieces of a kind out.
func (c clauseChange) side(label, without string) side {
	kept := func(all []piece) []piece {
		return slices.DeleteFunc(slices.Clone(all), func(p piece) bool { return p.Kind == without })
	}
	s := side{Label: label, Terms: kept(c.Terms)}
	for _, paragraph := range c.Text {
		if paragraph = kept(paragraph); len(paragraph) > 0 {
			s.Text = append(s.Text, paragraph)
		}
	}
	return s
}

// Same reports whether nothing changed.
func (c clauseChange) Same() bool { return c.What.Class == "" }

// A piece is a part of a text: in both if its Kind is "", "add" if only in the later,
// "cut" if only in the earlier one.
type piece struct{ Kind, Text string }

// changes compares two versions of a policy, clause by clause, in the order of the later
// one; those that are gone come last.
func changes(before, after *record.PolicyPublish) []clauseChange {
	old := map[string]record.Clause{}
	for _, c := range before.Clauses {
		old[c.Clause] = c
	}
	var all []clauseChange
	for _, c := range after.Clauses {
		o, known := old[c.Clause]
		delete(old, c.Clause)
		change := clauseChange{Name: c.Clause, Title: wordPieces(o.Title, c.Title)}
		var earlier []string
		if known {
			earlier = clauseTerms(o)
		}
		change.Terms = linePieces(earlier, clauseTerms(c))
		changed := o.Title != c.Title || slices.ContainsFunc(change.Terms, func(p piece) bool { return p.Kind != "" })
		change.Text = paragraphs(wordPieces(o.Text, c.Text))
		changed = changed || o.Text != c.Text
		switch {
		case !known:
			change.What = mark{"ok", "new"}
		case changed:
			change.What = mark{"warn", "changed"}
		default:
			change.What = mark{"", "the same"}
		}
		all = append(all, change)
	}
	for _, c := range before.Clauses {
		if _, gone := old[c.Clause]; gone {
			all = append(all, clauseChange{Name: c.Clause, What: mark{"void", "gone"}, Title: wordPieces(c.Title, ""),
				Text: paragraphs(wordPieces(c.Text, "")), Terms: linePieces(clauseTerms(c), nil)})
		}
	}
	return all
}

// wordPieces compares two texts word by word.
func wordPieces(before, after string) []piece {
	split := func(s string) string {
		var b strings.Builder
		for line := range strings.Lines(s) {
			for _, word := range strings.Fields(line) {
				b.WriteString(word + "\n")
			}
			b.WriteString("\u2029\n") // the end of a paragraph
		}
		return b.String()
	}
	return differ(split(before), split(after), " ")
}

// linePieces compares two lists of sentences.
func linePieces(before, after []string) []piece {
	join := func(lines []string) string {
		if len(lines) == 0 {
			return ""
		}
		return strings.Join(lines, "\n") + "\n"
	}
	return differ(join(before), join(after), "")
}

// differ compares two texts line by line. Lines of a kind that follow each other become
// one piece with a separator between them, unless that is "".
func differ(before, after, separator string) []piece {
	var out []piece
	add := func(kind, text string) {
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if last := len(out) - 1; separator != "" && last >= 0 && out[last].Kind == kind {
				out[last].Text += separator + line
				continue
			}
			out = append(out, piece{kind, line})
		}
	}
	at := 0
	for _, e := range udiff.Lines(before, after) {
		add("", before[at:e.Start])
		add("cut", before[e.Start:e.End])
		add("add", e.New)
		at = e.End
	}
	add("", before[at:])
	return out
}

// paragraphs takes pieces apart where a paragraph ends.
func paragraphs(pieces []piece) [][]piece {
	var all [][]piece
	var one []piece
	for _, p := range pieces {
		parts := strings.Split(p.Text, "\u2029")
		for i, part := range parts {
			if part = strings.TrimSpace(part); part != "" {
				one = append(one, piece{p.Kind, part})
			}
			if i < len(parts)-1 && len(one) > 0 {
				all, one = append(all, one), nil
			}
		}
	}
	if len(one) > 0 {
		all = append(all, one)
	}
	return all
}
