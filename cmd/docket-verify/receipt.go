package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/telling"
)

// A receiptFile is a receipt that was read and parsed.
type receiptFile struct {
	path string
	verify.Receipt
}

func receipt(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-verify receipt")
	policy := policyFlag(flags)
	recordFile := flags.String("record", "", "the record beside a bare receipt, a `file`")
	headAt := flags.String("head", "", "`log` as it is now, a URL, folder or zip: every receipt must belong to it; then a retired key, or one without witnesses, suffices")
	asJSON := flags.Bool("json", false, "print one JSON object for each receipt")
	evidence := flags.String("evidence", "", evidenceUse+"; with --head")
	if err := flags.ParseArgs(args, 1, -1, "FILE...", "docket-verify receipt --policy trust.policy decision.tlog-proof"); err != nil {
		return err
	}
	if err := flags.Require("policy"); err != nil {
		return err
	}
	var rec []byte
	if *recordFile != "" {
		if flags.NArg() > 1 {
			return cli.Usage(errors.New("--record goes with one receipt"))
		}
		var err error
		if rec, err = os.ReadFile(*recordFile); err != nil {
			return cli.Unknown(err)
		}
	}
	now, err := openHead(ctx, *headAt, *policy)
	if err != nil {
		return err
	}
	files, worst := readReceipts(flags.Args(), std, *asJSON)
	for i := range files {
		proven, err := check(ctx, files, i, *policy, rec, now)
		if err := show(std.Out, files[i].path, proven, err, *asJSON); err != nil {
			return err
		}
		worst = worse(worst, outcome(proven, err))
		if accused := (accusedError{}); errors.As(err, &accused) && *evidence != "" {
			if err := keepEvidence(*evidence, accused.evidence); err != nil {
				return err
			}
			*evidence = "" // the first one suffices
		}
	}
	return worst
}

// readReceipts reads all files; one that does not parse is told and does not
// hold, the others go on.
func readReceipts(paths []string, std cli.Streams, asJSON bool) ([]receiptFile, error) {
	var files []receiptFile
	var worst error
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			err = cli.Unknown(err)
		} else {
			var r verify.Receipt
			if r, err = verify.ParseReceipt(b); err == nil {
				files = append(files, receiptFile{path, r})
				continue
			}
		}
		if err2 := show(std.Out, path, nil, err, asJSON); err2 != nil {
			return nil, err2
		}
		worst = worse(worst, outcome(nil, err))
	}
	return files, worst
}

// outcome turns a verdict into an exit code that was told already.
func outcome(p *verify.Proven, err error) error {
	switch {
	case errors.Is(err, verify.ErrNotShown) || cli.Code(err) == 3:
		return cli.Unknown(cli.DoesNotHold())
	case err != nil || p.Full && !p.Standing.Effective():
		return cli.DoesNotHold()
	}
	return nil
}

// worse prefers "does not hold" to "could not find out" to nil.
func worse(a, b error) error {
	if cli.Code(a) == 1 || b == nil {
		return a
	}
	return b
}

// check checks receipt i. What is not shown in it may be in the other files, if
// they have the same checkpoint. now is the log as it is, nil if that is not given.
func check(ctx context.Context, files []receiptFile, i int, policy policies, rec []byte, now *head) (*verify.Proven, error) {
	opt := verify.CheckOptions{Record: rec}
	if now != nil {
		if err := now.extends(ctx, policy, files[i].Checkpoint); err != nil {
			return nil, broken(ctx, err, policy, files[i].Receipt, rec, now)
		}
		opt.Head = &now.signed
	}
	proven, err := policy.Check(files[i].Receipt, opt)
	if errors.Is(err, verify.ErrNotShown) {
		if opt.More = supportOf(files, i); len(opt.More) > 0 {
			proven, err = policy.Check(files[i].Receipt, opt)
		}
	}
	if errors.Is(err, verify.ErrRetired) {
		err = fmt.Errorf("%w; --head with the log as it is now would show whether it belongs to it", err)
	}
	return proven, err
}

// supportOf collects what the other files can add to receipt i.
func supportOf(files []receiptFile, i int) []verify.Support {
	var more []verify.Support
	for j, f := range files {
		if j == i || !bytes.Equal(f.Checkpoint, files[i].Checkpoint) || f.Extra == nil {
			continue
		}
		extra, err := verify.ParseExtra(f.Extra)
		if err != nil {
			continue // it is told of by itself
		}
		more = append(append(more, extra.Support...), verify.Support{Index: f.Index, Record: extra.Record, Proof: f.Proof})
	}
	return verify.SupportOf(files[i].Index, more)
}

// A verdict is what --json prints for a receipt.
type verdict struct {
	File     string           `json:"file"`
	Holds    bool             `json:"holds"`
	Error    string           `json:"error,omitempty"`
	Missing  bool             `json:"not_shown,omitzero"`
	Origin   string           `json:"origin,omitempty"`
	Size     int64            `json:"size,omitzero"`
	Index    int64            `json:"index"`
	ID       record.ID        `json:"id,omitempty"`
	Type     record.Type      `json:"type,omitempty"`
	Full     bool             `json:"full"`
	Standing string           `json:"standing,omitempty"`
	Codes    []rules.Code     `json:"codes,omitempty"`
	Findings []rules.Code     `json:"findings,omitempty"`
	Signers  []signerJSON     `json:"signers,omitempty"`
	Times    *timesJSON       `json:"times,omitempty"`
	Dated    string           `json:"decided_at_lies,omitempty"`
	Clauses  []clauseJSON     `json:"clauses,omitempty"`
	Payload  jsontext.Value   `json:"payload,omitempty"`
	Evidence *verify.Evidence `json:"evidence,omitempty"`
}

// timesJSON is between which times a record was signed and logged, as witnesses
// show.
type timesJSON struct {
	NotBefore *boundJSON `json:"signed_not_before,omitempty"`
	Logged    *boundJSON `json:"logged_not_before,omitempty"`
	NotAfter  *boundJSON `json:"not_after,omitempty"`
}

// boundJSON is a time: proven by witnesses of the trust policy, or else claimed by
// witnesses that the charter names.
type boundJSON struct {
	Time   record.Time `json:"time"`
	Proven bool        `json:"proven"`
}

func boundOf(b verify.Bound) *boundJSON {
	if b.At == 0 {
		return nil
	}
	return &boundJSON{record.Time(b.At), b.Proven}
}

func timesOf(t verify.Times) *timesJSON {
	if t == (verify.Times{}) {
		return nil
	}
	return &timesJSON{boundOf(t.NotBefore), boundOf(t.Logged), boundOf(t.NotAfter)}
}

// clauseJSON is a clause that a decision rests on. PublicDays is for how many days
// at least it had been public, if witnesses show it.
type clauseJSON struct {
	Policy      string      `json:"policy"`
	Version     int64       `json:"version"`
	Clause      string      `json:"clause"`
	Published   int64       `json:"published_index"`
	PublishedBy *boundJSON  `json:"published_by,omitempty"`
	PublicDays  *int64      `json:"public_days,omitempty"`
	ClaimedAt   record.Time `json:"claims_published_at"`
	Historic    bool        `json:"historic,omitzero"`
}

func clausesOf(clauses []verify.CitedClause, t verify.Times) []clauseJSON {
	var all []clauseJSON
	for _, c := range clauses {
		j := clauseJSON{c.Ground.Policy, c.Ground.Version, c.Ground.Clause, c.Published, boundOf(c.PublishedBy), nil, c.PublishedAt, c.Historic}
		if t.NotBefore.At != 0 && c.PublishedBy.At != 0 {
			days := telling.PublicDays(c, t)
			j.PublicDays = &days
		}
		all = append(all, j)
	}
	return all
}

type signerJSON struct {
	Holder   string      `json:"holder"`
	KID      string      `json:"kid"`
	SignedAt record.Time `json:"claims_signed_at"`
}

func show(w io.Writer, path string, p *verify.Proven, err error, asJSON bool) error {
	if !asJSON {
		_, werr := io.WriteString(w, words(path, p, err))
		return werr
	}
	v := verdict{File: path, Holds: outcome(p, err) == nil, Index: -1, Missing: errors.Is(err, verify.ErrNotShown)}
	var fork *verify.ForkError
	if errors.As(err, &fork) {
		e := fork.Evidence()
		v.Evidence = &e
	}
	if err != nil {
		v.Error = err.Error()
	} else {
		v.Times, v.Clauses = timesOf(p.Times), clausesOf(p.Clauses, telling.AtDecision(p.Record.Payload(), p.Times))
		if d, ok := p.Record.Payload().(*record.Decision); ok {
			v.Dated = telling.Lies(d.DecidedAt, p.Times)
		}
		v.Origin, v.Size, v.Index, v.ID = p.Signed.Checkpoint.Origin, p.Signed.Checkpoint.Size, p.Index, p.ID
		v.Type, v.Full, v.Payload = p.Record.Payload().Head().Type, p.Full, p.Record.PayloadBytes()
		if p.Full {
			v.Standing, v.Codes, v.Findings = standing(p), p.Standing.Codes, p.Standing.Findings
		}
		for _, s := range p.Signers {
			v.Signers = append(v.Signers, signerJSON{s.Holder, s.Header.KID, record.Time(s.Header.IAT)})
		}
	}
	b, jerr := json.Marshal(v)
	if jerr != nil {
		return jerr
	}
	_, werr := fmt.Fprintf(w, "%s\n", b)
	return werr
}

func standing(p *verify.Proven) string { return standingOf(p.Standing) }

func standingOf(s rules.Standing) string {
	if s.Effective() {
		return "effective"
	}
	return "void"
}

// words tells a person what a receipt proves.
func words(path string, p *verify.Proven, err error) string {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-11s%s\n", label, telling.Plain(fmt.Sprintf(format, args...)))
	}
	switch {
	case errors.Is(err, verify.ErrNotShown):
		fmt.Fprintf(&b, "CAN'T TELL  %s\n", path)
		line("why", "%v", err)
		return b.String()
	case err != nil:
		fmt.Fprintf(&b, "DOES NOT HOLD  %s\n", path)
		line("why", "%v", err)
		return b.String()
	case p.Full && !p.Standing.Effective():
		fmt.Fprintf(&b, "IN THE LOG, BUT VOID  %s\n", path)
	default:
		fmt.Fprintf(&b, "HOLDS  %s\n", path)
	}
	cp := p.Signed.Checkpoint
	line("log", "entry %d of %s, in the tree of %d records that the log signed", p.Index, cp.Origin, cp.Size)
	line("", "%s", witnesses(p.Signed))
	if h := p.Head; h != nil {
		line("", "the log as it is now, of %d records, extends that tree; %s", h.Checkpoint.Size, witnesses(*h))
	}
	line("id", "%s", p.ID)
	line("says", "%s", telling.Summary(p.Record.Payload()))
	if !p.Full {
		line("signed", "not shown in this file: a bare receipt proves only that the log holds this text")
	}
	for _, s := range p.Signers {
		line("signed by", "%s", signer(s))
	}
	for _, c := range p.Clauses {
		line("under", "%s", clause(c, p))
	}
	times := telling.Times(p.Times)
	if dated := telling.Dated(p.Record.Payload(), p.Times); dated != "" {
		times = append(times, dated)
	}
	for i, said := range times {
		line([]string{"time", ""}[min(i, 1)], "%s", said)
	}
	if p.Full {
		line("standing", "%s, by the rules as far as this file shows", standing(p))
		for _, c := range p.Standing.Codes {
			line("", "%s (%s)", rules.Explain(c), c)
		}
		for _, c := range p.Standing.Findings {
			line("note", "%s (%s)", rules.Explain(c), c)
		}
	}
	line("not proven", "that no key was revoked, and nothing reversed, since: only an audit of the log as it is now can tell.")
	if len(times) == 0 {
		line("", "Times are what the signers claim; the log proves the order. Whether the facts are true, no log can prove.")
	} else {
		line("", "Other times are what the signers claim. Whether the facts are true, no log can prove.")
	}
	return b.String()
}

func witnesses(s verify.Signed) string {
	if len(s.Cosignatures) == 0 {
		return "no witness cosigned it: nobody but the log vouches that everyone is shown the same"
	}
	var names []string
	for _, c := range s.Cosignatures {
		names = append(names, c.Name)
	}
	return "cosigned by " + strings.Join(names, ", ")
}

func signer(s verify.Signer) string {
	at := fmt.Sprintf("claims %s, its number %d, had seen the log at size %d", record.Time(s.Header.IAT), s.Header.Seq, s.Header.Seen.Size)
	if s.Filer {
		return "the filer, with a key of their own that is not enrolled: shown, not counted; " + at
	}
	if s.Recovery {
		return "a recovery key of the charter; " + at
	}
	var roles []string
	for _, r := range s.Roles {
		roles = append(roles, string(r))
	}
	return fmt.Sprintf("%s (%s), enrolled by entry %d; %s", s.Holder, strings.Join(roles, ", "), s.Enrolled, at)
}

// clause tells for how long a clause had been public.
func clause(c verify.CitedClause, p *verify.Proven) string {
	headers := p.Record.Headers()
	first := headers[0].IAT
	for _, h := range headers {
		first = min(first, h.IAT)
	}
	text := fmt.Sprintf("%q: %s, version %d, clause %s, published as entry %d, %s",
		c.Clause.Title, c.Ground.Policy, c.Ground.Version, c.Ground.Clause, c.Published, telling.Public(c, telling.AtDecision(p.Record.Payload(), p.Times), first))
	if c.Historic {
		text += "; a text from before the ledger"
	}
	return text
}
