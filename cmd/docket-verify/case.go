package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/source"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/casefile"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/telling"
)

// tellCase audits a whole log and tells one case of it, or proves a case file.
func tellCase(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-verify case")
	policy := policyFlag(flags)
	asJSON := flags.Bool("json", false, "print one JSON object")
	if err := flags.ParseArgs(args, 1, 2, "URL|DIR|ZIP CASE, or CASE-FILE.zip", "docket-verify case --policy trust.policy https://ledger.example.com example-1\n"+
		"  docket-verify case --policy trust.policy case.zip"); err != nil {
		return err
	}
	if err := flags.Require("policy"); err != nil {
		return err
	}
	if flags.NArg() == 1 {
		return tellFile(flags.Arg(0), *policy, *asJSON, std)
	}
	src, err := source.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	k := &caseKeeper{name: flags.Arg(1), trust: policy.Policies, policies: map[record.ID]published{}, about: map[record.ID]bool{}}
	a := auditor{std: cli.Streams{In: std.In, Out: std.Err, Err: std.Err}, start: time.Now(), each: k.keep, quiet: true}
	sum, err := a.run(ctx, src, *policy)
	if err != nil {
		return err
	}
	if sum.Broken > 0 {
		return errors.New("the log does not hold, see above: nothing is told of a case in it")
	}
	if len(k.kept) == 0 {
		return fmt.Errorf("there is no case %q in this log of %d entries", k.name, sum.Entries)
	}
	story, err := k.story(sum)
	if err != nil {
		return cli.Unknown(err)
	}
	if *asJSON {
		return printCase(std.Out, story)
	}
	return story.Tell(std.Out, telling.Plain)
}

// tellFile proves a case file and tells it.
func tellFile(path string, policy policies, asJSON bool, std cli.Streams) error {
	if u, err := url.Parse(path); err == nil && u.Host != "" {
		return cli.Usage(fmt.Errorf("%s is a log: name the case, too", path))
	}
	in, err := os.Open(path)
	if err != nil {
		return cli.Unknown(err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return cli.Unknown(err)
	}
	if info.IsDir() {
		return cli.Usage(fmt.Errorf("%s is a folder: name the case, too", path))
	}
	f, err := casefile.Read(in, info.Size())
	var story *telling.Case
	if err == nil {
		story, err = f.Check(policy.Policies)
	}
	if errors.Is(err, verify.ErrNotShown) {
		return cli.Unknown(fmt.Errorf("%s: %w", path, err))
	}
	if err != nil {
		return fmt.Errorf("%s DOES NOT HOLD: %w", path, err)
	}
	if asJSON {
		return printCase(std.Out, story)
	}
	fmt.Fprintf(std.Out, "HOLDS  %s: every record below is in the log at this place, signed by these keys\n\n", path)
	return story.Tell(std.Out, telling.Plain)
}

// A caseKeeper keeps what belongs to one case while a log is audited.
type caseKeeper struct {
	name     string
	trust    verify.Policies
	terms    *record.Terms // of the newest charter or amendment so far
	marks    []mark
	kept     []kept
	policies map[record.ID]published
	about    map[record.ID]bool // the records of the case
}

type kept struct {
	index    int64
	record   record.Checked
	standing rules.Standing
}

// published is a policy that was published, with its place.
type published struct {
	index  int64
	policy *record.PolicyPublish
	at     record.Time // its newest iat
}

func (k *caseKeeper) keep(index int64, r record.Checked, s rules.Standing) {
	k.date(index, r.Payload(), s)
	switch p := r.Payload().(type) {
	case *record.PolicyPublish:
		if s.Effective() {
			k.policies[r.ID()] = published{index, p, newest(r)}
		}
		return
	case record.Act:
		if name, _ := p.Place(); name != k.name {
			return
		}
	default:
		if !slices.ContainsFunc(record.Cited(p), func(id record.ID) bool { return k.about[id] }) {
			return
		}
	}
	k.about[r.ID()] = true
	k.kept = append(k.kept, kept{index, r, s})
}

// A mark is a timemark in the log.
type mark struct {
	index int64
	verify.Mark
}

// date keeps what the timemarks of the log prove.
func (k *caseKeeper) date(index int64, p record.Payload, s rules.Standing) {
	if !s.Effective() {
		return
	}
	switch p := p.(type) {
	case *record.Charter:
		k.terms = &p.Terms
	case *record.CharterAmend:
		k.terms = &p.Terms
	case *record.Timemark:
		if m, err := k.trust.Mark(p, k.terms); err == nil {
			k.marks = append(k.marks, mark{index, m})
		}
	}
}

// times returns between which times a record was signed, by those who had seen a
// tree of size seen or a larger one, and logged.
func (k *caseKeeper) times(seen, index int64, sum *verify.Summary) (t verify.Times) {
	for _, m := range k.marks {
		if m.index < seen {
			t.NotBefore = t.NotBefore.Later(m.NotBefore)
		}
		if m.index < index {
			t.Logged = t.Logged.Later(m.NotBefore)
		}
		if index < m.Tree.Size {
			t.NotAfter = t.NotAfter.Earlier(m.NotAfter)
		}
	}
	_, now := k.trust.Dated(sum.Signed.Checkpoint.Origin, k.terms, sum.Signed.Note)
	t.NotAfter = t.NotAfter.Earlier(now)
	return t
}

func newest(r record.Checked) record.Time {
	at := int64(0)
	for _, h := range r.Headers() {
		at = max(at, h.IAT)
	}
	return record.Time(at)
}

func (k *caseKeeper) story(sum *verify.Summary) (*telling.Case, error) {
	story := &telling.Case{Name: k.name, Origin: sum.Signed.Checkpoint.Origin, Whole: true, Size: sum.Signed.Checkpoint.Size,
		Time: record.Time(sum.Time), Witnessed: sum.Witnessed}
	for _, r := range k.kept {
		e, err := k.entry(r, sum)
		if err != nil {
			return nil, err
		}
		story.Entries = append(story.Entries, e)
	}
	for _, d := range sum.Duties {
		if d.Case == k.name {
			story.Duties = append(story.Duties, d.Duty)
		}
	}
	return story, nil
}

func (k *caseKeeper) entry(r kept, sum *verify.Summary) (telling.Entry, error) {
	e := telling.Entry{Index: r.index, ID: r.record.ID(), Payload: r.record.Payload(), Standing: r.standing}
	seen := r.index // the smallest tree that who counts has seen
	for _, h := range r.record.Headers() {
		s := verify.Signer{Header: h, Holder: "the filer, with a key of their own", Filer: true}
		key, err := rules.ReadKey(sum.State(), h.KID)
		if err != nil {
			return e, err
		}
		if key != nil {
			s.Filer, seen = false, min(seen, h.Seen.Size)
			s.Holder, s.Roles, s.Recovery = key.Holder, key.Roles, key.Recovery
			if n, _ := slices.BinarySearch(key.Indexes, r.index); n > 0 {
				s.Enrolled = key.Indexes[n-1]
			}
		}
		e.Signers = append(e.Signers, s)
	}
	if e.Times = k.times(seen, r.index, sum); slices.Contains(r.standing.Codes, rules.SeenMismatch) {
		e.Times.NotBefore = verify.Bound{} // it has seen another log
	}
	var err error
	if e.Interval, err = rules.ReadInterval(sum.State(), seen, r.index); err != nil {
		return e, err
	}
	d, ok := r.record.Payload().(*record.Decision)
	if !ok {
		return e, nil
	}
	for _, g := range d.Grounds {
		k.cite(&e, g, sum)
	}
	if !r.standing.Effective() {
		return e, nil
	}
	e.Status, err = rules.ReadStatus(sum.State(), k.name, e.ID, sum.Time)
	return e, err
}

// cite adds a clause as it was published.
func (k *caseKeeper) cite(e *telling.Entry, g record.Ground, sum *verify.Summary) {
	p, ok := k.policies[g.Record]
	if !ok {
		return
	}
	for _, c := range p.policy.Clauses {
		if c.Clause != g.Clause {
			continue
		}
		e.Clauses = append(e.Clauses, verify.CitedClause{Ground: g, Title: p.policy.Title, Clause: c, Published: p.index,
			PublishedAt: p.at, PublishedBy: k.times(0, p.index, sum).NotAfter, Historic: p.policy.Historic != nil})
	}
}
