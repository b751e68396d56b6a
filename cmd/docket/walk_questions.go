package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// A question is for one member of a decision. That its answer has the form that
// the schema wants is checked for all alike.
type question struct {
	member string // path
	prompt string
	// applies says whether it is asked; nil means always.
	applies func(*walk) bool
	// about is said below the prompt.
	about func(*walk) string
	// choices are the words to choose from, nil for any text.
	choices func(*walk) []string
	// fallback is what no answer means, "" for nothing.
	fallback func(*walk) string
	// optional says whether the member may be left out; nil means never.
	optional func(*walk) bool
	// read turns an answer into the member. The error is a wrong answer, or
	// ends the walk. nil takes the text.
	read    func(ctx context.Context, w *walk, text string) (any, error)
	long    bool // in an editor
	several bool // one or more of the choices
	// find finds the member, and nobody is asked; nil if there is nothing to find.
	find func(ctx context.Context, w *walk) (any, error)
}

// questions in the order in which they are asked.
var questions = slices.Concat(decisionQuestions, dsaQuestions)

var decisionQuestions = []question{
	{member: "ledger", prompt: "The origin of the ledger, like ledger.example.com/2026",
		applies: func(w *walk) bool { return w.opt.origin == "" }},
	{member: "case", prompt: "The name of the case: 3 to 64 of a-z, 0-9 and -. A new name opens a case.",
		read: readCase},
	{member: "prev", prompt: "The newest act of the case, which this decision follows",
		applies: func(w *walk) bool { return w.ledger == nil || w.known.Tip != "" }, about: aboutCase,
		fallback: func(w *walk) string { return string(w.known.Tip) },
		optional: func(w *walk) bool { return w.ledger == nil }, read: readPrev},
	{member: "service_layer", prompt: "The service layer: where it acts",
		choices: func(*walk) []string { return texts(record.ServiceLayers) }},
	{member: "action", prompt: "What is done",
		choices: func(*walk) []string { return texts(record.Actions) }, read: readAction},
	{member: "grounds", prompt: "The clauses that it rests on: their numbers",
		applies: func(w *walk) bool {
			return !slices.Contains(unbound, getText(w.value, "action")) || len(w.permitting()) > 0
		},
		about:    aboutGrounds,
		optional: func(w *walk) bool { return slices.Contains(unbound, getText(w.value, "action")) }, read: readGrounds},
	{member: "precedents", find: findAlike},
	{member: "subject/name", prompt: "The name of the subject: a domain, URL, address or account. It is public for ever.",
		about: func(*walk) string { return "Without a name only its pseudonym, the ref, is recorded." }, optional: always},
	{member: "subject/type", prompt: "What the subject is",
		choices: func(*walk) []string { return record.SubjectTypes }, fallback: typeOfName, read: readSubjectType},
	{member: "subject/ref", prompt: "The pseudonym of the subject, 43 characters; --subject-key computes it from a name",
		applies:  func(w *walk) bool { return w.key == nil || getText(w.value, "subject/name") == "" },
		fallback: func(w *walk) string { return w.known.Subject }, read: readRef},
	{member: "severity", prompt: "How severe the matter is", about: aboutSeverity,
		choices:  func(*walk) []string { return record.Severities },
		optional: func(w *walk) bool { return !w.demands(bySeverity) }},
	{member: "trigger/kind", prompt: "What made you decide",
		choices: func(*walk) []string { return record.TriggerKinds }},
	{member: "trigger/authority", prompt: "The authority or court that ordered it",
		applies: byOrder, optional: notCarried("authority")},
	{member: "trigger/legal_reference", prompt: "The reference of the order, or the law that it names",
		applies: byOrder, optional: notCarried("legal_reference")},
	{member: "trigger/intake", prompt: "The id of the record by which the order is in the register of what arrived",
		applies: byOrder, fallback: newestIntake, optional: notCarried("intake")},
	{member: "automation/detection", prompt: "Who found it",
		choices: func(*walk) []string { return record.Detections }, fallback: constant("manual")},
	{member: "automation/decision", prompt: "How much of the decision a machine took",
		choices: func(*walk) []string { return record.Automations }, fallback: constant("none")},
	{member: "decided_at", prompt: "When it was decided", fallback: func(*walk) string { return clock() }, read: readTime},
	{member: "effective_at", prompt: "From when on it has effect: a time, or like +24h or +7d from now",
		fallback: func(*walk) string { return clock() }, read: readTime},
	{member: "until", prompt: "Until when it has effect: a time, or like +72h or +30d after effective_at",
		applies: (*walk).measure, about: aboutLimit("the measure ends", maxDuration), optional: unlimited(maxDuration), read: readWithin(maxDuration)},
	{member: "review_at", prompt: "When it is looked at again: a time, or like +72h or +30d after effective_at",
		applies: (*walk).measure, about: aboutLimit("it is looked at again", reviewWithin), optional: unlimited(reviewWithin), read: readWithin(reviewWithin)},
	{member: "emergency/harm", prompt: "The harm, if this is an emergency: fewer decide at once, and others must ratify it in time",
		applies: func(w *walk) bool { return len(w.harms()) > 0 && w.value["retrospective"] == nil },
		choices: (*walk).harms, optional: always},
	{member: "redress", prompt: "What the subject can do against it", optional: always},
	{member: "lang", prompt: "The language of facts and reasons, like en or de-AT", fallback: langOfClause},
	{member: "facts", prompt: "The facts: what was found", long: true},
	{member: "reasons", prompt: "The reasons: why this follows from the facts and the clauses", long: true},
	{member: "distinguishing_reason", prompt: "What makes this case different: most like cases were decided otherwise",
		applies: (*walk).differs, about: aboutAlike, long: true},
}

func always(*walk) bool { return true }

func constant(s string) func(*walk) string { return func(*walk) string { return s } }

// choose returns the choice that an answer names, by its number or word.
func choose(answer string, choices []string) (string, error) {
	if slices.Contains(choices, answer) {
		return answer, nil
	}
	if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(choices) {
		return choices[n-1], nil
	}
	return "", wrong(fmt.Sprintf("%s is none of them%s", telling.Plain(answer), hint(numbers(len(choices)), cli.Suggest(answer, choices))))
}

// readCase asks the ledger what it knows of the case.
func readCase(ctx context.Context, w *walk, text string) (any, error) {
	if err := check(map[string]any{"case": text}); err != nil || w.ledger == nil {
		return text, nil // a wrong name is found later
	}
	w.known = client.Case{}
	for cursor := ""; ; {
		page, err := w.ledger.Case(ctx, text, 0, cursor)
		if errors.Is(err, fs.ErrNotExist) {
			w.say("  The ledger has no such case: this decision opens it.")
			return text, nil
		}
		if err != nil {
			return nil, told(err)
		}
		page.Records = append(w.known.Records, page.Records...)
		w.known = page
		if page.Next == "" || page.Next == cursor {
			return text, nil
		}
		cursor = page.Next
	}
}

func aboutCase(w *walk) string {
	if w.known.Tip == "" {
		return "Nothing, if this opens the case."
	}
	s := fmt.Sprintf("The ledger has the case; records of it: %d.", len(w.known.Records))
	if f := w.known.InForce; f != nil {
		s += fmt.Sprintf(" In force is %s, by %s.", telling.Plain(string(f.Action)), telling.Plain(string(f.Decision)))
	}
	return s
}

func readPrev(_ context.Context, w *walk, text string) (any, error) {
	if w.known.Tip != "" && text != string(w.known.Tip) {
		return nil, wrong(fmt.Sprintf("the newest act of the case is %s", telling.Plain(string(w.known.Tip))))
	}
	return text, nil
}

// readAction takes an action for which there is a clause, or that needs none.
func readAction(_ context.Context, w *walk, text string) (any, error) {
	layer := getText(w.value, "service_layer")
	permitted := slices.Clone(unbound)
	for _, a := range record.Actions {
		if slices.ContainsFunc(w.offers, func(o offer) bool { return o.permits(string(a), layer) }) && !slices.Contains(permitted, string(a)) {
			permitted = append(permitted, string(a))
		}
	}
	if slices.Contains(permitted, text) || text == string(record.Reinstate) || !slices.Contains(texts(record.Actions), text) {
		return text, nil
	}
	if w.get("grounds") != nil && len(w.offers) == 0 {
		return text, nil // with grounds that were kept
	}
	why := "no clause in force permits " + text + " on " + layer
	if len(w.offers) == 0 {
		why = text + " needs a clause, and none is known: give --from, or --policy-record"
	}
	return nil, wrong(why + "; possible are " + strings.Join(permitted, ", "))
}

// get returns an answer, or one that was kept.
func (w *walk) get(member string) any {
	if v := get(w.value, member); v != nil {
		return v
	}
	return get(w.kept, member)
}

func aboutGrounds(w *walk) string {
	s := aboutClauses(w)
	switch action := getText(w.value, "action"); {
	case action == string(record.Reinstate):
		s += "Or the id of the decision that lapsed or ran out, or of the ruling that reversed it."
	case slices.Contains(unbound, action):
		s += "Nothing, if it rests on none."
	}
	return s
}

// typeOfName guesses what a name is.
func typeOfName(w *walk) string {
	name := getText(w.value, "subject/name")
	if _, err := netip.ParseAddr(name); err == nil {
		return "ip_address"
	}
	if _, err := keyfile.Canonical("domain", name); err == nil {
		return "domain"
	}
	if _, err := keyfile.Canonical("url", name); err == nil && strings.Contains(name, "://") {
		return "url"
	}
	return ""
}

// readSubjectType computes the pseudonym, to see that it can be, and that the
// case is about this subject.
func readSubjectType(_ context.Context, w *walk, kind string) (any, error) {
	name := getText(w.value, "subject/name")
	if w.key == nil || name == "" || !slices.Contains(record.SubjectTypes, kind) {
		return kind, nil
	}
	ref, err := w.key.Ref(kind, name)
	if err != nil {
		return nil, wrong(err.Error())
	}
	if w.known.Subject != "" && ref != w.known.Subject {
		return nil, &again{"subject/name", fmt.Sprintf("the case %s is about another subject than %s %s", getText(w.value, "case"), kind, telling.Plain(name))}
	}
	return kind, nil
}

func readRef(_ context.Context, w *walk, ref string) (any, error) {
	if w.known.Subject != "" && ref != w.known.Subject {
		return nil, wrong("the subject of the case is " + telling.Plain(w.known.Subject))
	}
	return ref, nil
}

func bySeverity(c *record.Clause) bool {
	return slices.ContainsFunc(c.Quorums, func(q record.QuorumFor) bool { return len(q.Severities) > 0 })
}

func aboutSeverity(w *walk) string {
	if w.demands(bySeverity) {
		return "Who must sign depends on it."
	}
	return "Nothing, if it is not stated."
}

// byOrder reports whether an authority or court ordered it.
func byOrder(w *walk) bool {
	return slices.Contains([]string{"authority_order", "court_order"}, getText(w.value, "trigger/kind"))
}

// notCarried says that no chosen clause wants this member of an order.
func notCarried(member string) func(*walk) bool {
	return func(w *walk) bool {
		return !w.demands(func(c *record.Clause) bool { return c.Orders != nil && slices.Contains(c.Orders.MustCarry, member) })
	}
}

// newestIntake returns the id of the last intake of the case, or "".
func newestIntake(w *walk) string {
	for _, r := range slices.Backward(w.known.Records) {
		if r.Type == record.TypeIntake && r.Standing.Standing == client.Effective {
			return string(r.ID)
		}
	}
	return ""
}

func langOfClause(w *walk) string {
	if len(w.chosen) > 0 {
		return w.chosen[0].lang
	}
	return "en"
}

// clock returns the time of an answer.
func clock() string { return record.Time(time.Now().Unix()).String() }

var laterPattern = regexp.MustCompile(`^\+([0-9]{1,5})([hd])$`)

// later reads a time, or so many hours or days after from.
func later(text string, from record.Time) (any, error) {
	if m := laterPattern.FindStringSubmatch(text); m != nil {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return nil, wrong(err.Error())
		}
		if m[2] == "d" {
			n *= 24
		}
		return (from + record.Time(n*3600)).String(), nil
	}
	if _, err := record.ParseTime(text); err != nil {
		return nil, wrong(err.Error() + suggestTime(text))
	}
	return text, nil
}

// suggestTime spells a time that is written in one of the usual other ways.
func suggestTime(text string) string {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return fmt.Sprintf("; did you mean %q?", record.Time(t.Unix()).String())
		}
	}
	return ""
}

func readTime(_ context.Context, _ *walk, text string) (any, error) {
	if text == "now" {
		return clock(), nil
	}
	return later(text, record.Time(time.Now().Unix()))
}

func maxDuration(c *record.Clause) int64  { return c.MaxDuration }
func reviewWithin(c *record.Clause) int64 { return c.ReviewWithin }

// aboutLimit shows the limit that a clause sets.
func aboutLimit(what string, hours func(*record.Clause) int64) func(*walk) string {
	return func(w *walk) string {
		h, clause, until := w.limit(hours)
		if h == 0 {
			return "Nothing, if that is not fixed."
		}
		return fmt.Sprintf("Under clause %s %s within %d hours: by %s at the latest.", clause, what, h, until)
	}
}

func unlimited(hours func(*record.Clause) int64) func(*walk) bool {
	return func(w *walk) bool { h, _, _ := w.limit(hours); return h == 0 }
}

// readWithin reads a time that a clause limits.
func readWithin(hours func(*record.Clause) int64) func(context.Context, *walk, string) (any, error) {
	return func(_ context.Context, w *walk, text string) (any, error) {
		from, err := record.ParseTime(getText(w.value, "effective_at"))
		if err != nil {
			return nil, err
		}
		v, err := later(text, from)
		if err != nil {
			return nil, err
		}
		at, err := record.ParseTime(v.(string))
		if err != nil {
			return nil, wrong(err.Error())
		}
		if at <= from {
			return nil, wrong(fmt.Sprintf("%s is not after effective_at, which is %s", at, from))
		}
		if h, clause, until := w.limit(hours); h > 0 && at > until {
			return nil, wrong(fmt.Sprintf("%s is more than the %d hours of clause %s; did you mean %q?", at, h, clause, until.String()))
		}
		return v, nil
	}
}
