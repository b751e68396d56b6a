// Package demo is the demonstration of Docket: a small ledger that is founded,
// used, proven and attacked, with the real parts, in a few seconds.
//
// It leaves in its directory
//
//	ledger/                  the data directory, as docketd serves it
//	mirror/                  the log as static c2sp.org/tlog-tiles files
//	altered/                 the same with one byte of one decision changed
//	keys/                    the private keys of everybody
//	witnesses/               what each of three witnesses has cosigned
//	receipts/*.tlog-proof    the receipts of the effective records, without witnesses
//	void/*.tlog-proof        those of the void ones
//	witnessed/*.tlog-proof   receipts of the effective records in a cosigned checkpoint
//	trust.policy log.vkey    whom to trust: the log
//	witnessed.policy         the log, and two of the three witnesses
//	decision.yaml            a decision to try docket decide, sign and submit with
//
// The witnesses are part of it: they run in this process, so they show how it works,
// and do not prove that the times are true.
//
// The cases are those of cases.json, entered from press reports; what is made up
// is called fictitious where it stands. But for keys and times it does the same
// every time.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Config says how the demonstration runs.
type Config struct {
	// Dir is the directory; it must be absent or empty. Empty means a new
	// temporary one.
	Dir string
	// Once ends it when the story is told; else the ledger is then served
	// on Listen until the context ends.
	Once   bool
	Listen string
	// Out gets the story, at most 60 lines.
	Out io.Writer
}

// Run tells the story. The error has an exit code of package cli.
func Run(ctx context.Context, cfg Config) error {
	var listener net.Listener
	if !cfg.Once {
		var err error
		if listener, err = listen(cfg.Listen); err != nil {
			return err
		}
		defer listener.Close() // again, after serve, is harmless
	}
	dir, err := prepare(cfg.Dir)
	if err != nil {
		return err
	}
	t := &teller{stage: stage{ctx: ctx, dir: dir}, out: cfg.Out}
	defer t.closeWitnesses()
	opened, err := t.found()
	if err != nil {
		return err
	}
	t.ledger, t.index = opened.Ledger, opened.Index
	err = t.tell()
	if err == nil && !cfg.Once {
		err = t.serve(listener)
	}
	return errors.Join(err, opened.Close())
}

func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, cli.Unknown(fmt.Errorf("%s is taken by another program: stop that, or choose another address with --listen 127.0.0.1:0, or do without with --once", addr))
	}
	if err != nil {
		return nil, cli.Unknown(err)
	}
	return l, nil
}

// prepare makes the directory, or sees that it is empty.
func prepare(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "docket-demo-")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("%s is not empty: name a new directory, or remove that one first", dir)
	}
	return dir, nil
}

// A teller tells the story while it happens.
type teller struct {
	stage
	out     io.Writer
	index   *index.Index
	reports *reports
	rules   record.ID      // that published the rulebook
	policy  *verify.Policy // trust.policy
}

func (t *teller) say(format string, args ...any) {
	fmt.Fprintf(t.out, format+"\n", args...)
}

// act is a line for a decision: when, what, who, and what became of it.
func (t *teller) act(name, when, what, who, fate string) {
	t.say("   %-18s %-11s %-10s %-33s %s", name, when, what, who, fate)
}

// reasons says why a record was refused, a line for each code.
func (t *teller) reasons(codes ...record.Code) {
	for _, c := range codes {
		t.say("      %s (%s)", rules.Explain(c), c)
	}
}

func (t *teller) tell() error {
	for _, chapter := range []func() error{t.publish, t.decide, t.decideExample, t.prove, t.attack} {
		if err := chapter(); err != nil {
			return err
		}
	}
	t.conclude()
	return nil
}

// found makes the keys and the ledger, and opens it.
func (t *teller) found() (*datadir.Dir, error) {
	var err error
	if t.reports, err = readReports(); err != nil {
		return nil, err
	}
	t.say("DOCKET, A DEMONSTRATION. It happens now, on this machine.")
	t.say("The real cases in it are entered from press reports, by this demonstration and not by the company")
	t.say("that they are about. The signers are made up, and called by what they do: archivist, reviewer and so on.")
	t.say("")
	t.say("1. A LEDGER IS FOUNDED")
	if err := t.makeKeys(); err != nil {
		return nil, err
	}
	data := t.path("ledger")
	made, err := datadir.CreateKeys(data, Origin, datadir.KeyOptions{})
	if err != nil {
		return nil, err
	}
	t.vkey = made.VKey
	if t.keys[machine], err = keyfile.Read(filepath.Join(data, "keys", "machine.jwk"), nil); err != nil {
		return nil, err
	}
	if err := t.makeWitnesses(); err != nil {
		return nil, err
	}
	lines := t.witnessLines(noWhere)
	b, err := t.sign(charter(t.vkey, t.subject, lines, time.Now().Unix(), t.jwk), slices.Concat(founders, recovery, []string{machine})...)
	if err != nil {
		return nil, err
	}
	out, err := datadir.Init(t.ctx, data, datadir.Options{}, b)
	if err != nil {
		return nil, err
	}
	t.logged = append(t.logged, logged{"charter", out})
	return datadir.Open(t.ctx, data, datadir.Options{Witnesses: &datadir.Witnesses{
		Policy: []byte(strings.Join(lines, "\n") + "\n"),
		Ask:    func(context.Context, *ledger.Ledger, *verify.Policy, string) error { return nil }, // a new ledger: they have seen nothing
	}})
}

// publish enrols people and publishes rules.
func (t *teller) publish() error {
	for _, h := range holders {
		enrolment := &record.KeyEnrol{Holder: h.name, JWK: t.jwk(h.name), Roles: []record.Role{h.role}}
		if _, err := t.log("enrol-"+h.name, enrolment, founders[0], founders[1], h.name); err != nil {
			return err
		}
	}
	out, err := t.log("policy-rulebook", rulebook(time.Now().Unix()), founders[0], founders[2])
	if err != nil {
		return err
	}
	t.rules = out.ID
	mark, err := t.timemark("timemark-rules")
	if err != nil {
		return err
	}
	t.say("   %s, by an example provider that does not exist. Its charter is signed by %d founders,", Origin, len(founders))
	t.say("   %d recovery keys and the server's own. %d more signers are enrolled, each of them by 2 founders.", len(recovery), len(holders))
	t.say("   Its rulebook is published, signed by 2: %d clauses, and how far it may go depends on the service.", len(rulebook(0).Clauses))
	t.say("   Three witnesses cosign the log and its time, and that is logged (entry %d): what follows is younger.", mark.Index)
	t.say("   Rules are in force at once here. A real charter makes them wait for days, so that none is sudden.")
	return nil
}

// decide enters the cases of cases.json, each with the fate that is written
// there.
func (t *teller) decide() error {
	t.say("")
	t.say("2. DECISIONS MEET THE RULES: to act against somebody takes a published rule and two signatures")
	t.act("case", "decided", "what", "signed here by", "the ledger says")
	if err := t.unruled("daily-stormer", false); err != nil {
		return err
	}
	t.say("      The ledger keeps no trace of it.")
	if err := t.unruled("8chan", true); err != nil {
		return err
	}
	return t.kiwiFarms()
}

// unruled enters a decision under no rule, with one signature: it is refused,
// and then logged as void if that is asked for.
func (t *teller) unruled(name string, logVoid bool) error {
	subject, e, err := t.reports.event(name, 0)
	if err != nil {
		return err
	}
	ref, err := t.subject.Ref("other", subject)
	if err != nil {
		return err
	}
	b, err := t.sign(t.reports.reported(name, subject, ref, e), "archivist")
	if err != nil {
		return err
	}
	codes := []record.Code{rules.GroundNone, rules.QuorumShort}
	if err := t.refused(b, codes...); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	t.act(name, e.DecidedOn, string(e.Action), names("archivist"), "REFUSED")
	if !logVoid {
		t.reasons(codes...)
		return nil
	}
	out, err := t.ledger.Submit(t.ctx, b, ledger.Options{LogVoid: true})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	t.logged = append(t.logged, logged{name, out})
	t.say("      For the same two reasons. Then logged as VOID (entry %d): visible for ever, it counts for nothing.", out.Index)
	return nil
}

// kiwiFarms enters the decision to decline, which cited a rule, and the opposite
// one three days later, which cited none.
func (t *teller) kiwiFarms() error {
	const name = "kiwi-farms"
	subject, first, err := t.reports.event(name, 0)
	if err != nil {
		return err
	}
	_, second, err := t.reports.event(name, 1)
	if err != nil {
		return err
	}
	ref, err := t.subject.Ref("other", subject)
	if err != nil {
		return err
	}
	historic, err := t.log("policy-reported", reportedPolicy(first), founders[0], founders[2])
	if err != nil {
		return err
	}
	d := t.reports.reported(name, subject, ref, first)
	d.Grounds = []record.Ground{{Policy: "reported-abuse-policy", Version: 1, Clause: "security-services", Record: historic.ID}}
	out, err := t.log(name+"-decline", d, "archivist", "reviewer")
	if err != nil {
		return err
	}
	t.act(name, first.DecidedOn, string(first.Action), names("archivist", "reviewer"), effective(out))
	t.say("      Under a rule of that time, as the press reported it: entered as a historic text (entry %d),", historic.Index)
	t.say("      for decisions from before the ledger only. It is marked as recorded afterwards.")
	next := t.reports.reported(name, subject, ref, second)
	next.Prev = out.ID
	b, err := t.sign(next, "archivist", "reviewer")
	if err != nil {
		return err
	}
	if err := t.refused(b, rules.GroundNone); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	t.act(name, second.DecidedOn, string(second.Action), names("archivist", "reviewer"), "REFUSED")
	t.reasons(rules.GroundNone)
	t.say("      The reports call it an emergency. They name no rule, published before, that allows for one.")
	return nil
}

func effective(out ledger.Outcome) string { return fmt.Sprintf("EFFECTIVE (entry %d)", out.Index) }

// decideExample is the fictitious case: an emergency as the rules want it.
func (t *teller) decideExample() error {
	ref, err := t.subject.Ref("domain", exampleSubject)
	if err != nil {
		return err
	}
	now := time.Now().Unix()
	first, err := t.log(exampleCase+"-decline", declined(now, ref, t.rules), "reviewer", "duty-officer")
	if err != nil {
		return err
	}
	second, err := t.log(emergencyName, emergency(now, ref, t.rules, first.ID), "duty-officer")
	if err != nil {
		return err
	}
	third, err := t.log(exampleCase+"-ratification", approval(second.ID), "ratifier-1", "ratifier-2")
	if err != nil {
		return err
	}
	t.say("   And a fictitious case of the example provider, under its own rulebook:")
	t.act(exampleCase, "today", "decline", names("reviewer", "duty-officer"), effective(first))
	t.act("", "today", "restrict", names("duty-officer"), effective(second))
	t.say("      Danger to life: one may decide at once; two others must approve within %d hours, or it lapses.", ratifyInHours)
	t.act("", "today", "approve", names("ratifier-1", "ratifier-2"), effective(third))
	return t.republish()
}

// republish changes the rules for later decisions.
func (t *teller) republish() error {
	out, err := t.log("policy-rulebook-2", stricterRulebook(time.Now().Unix()), founders[1], founders[2])
	if err != nil {
		return err
	}
	t.rules = out.ID
	t.say("   Afterwards that clause is made stricter (entry %d): for decisions to come, not for this one.", out.Index)
	return nil
}

// conclude says what it all means.
func (t *teller) conclude() {
	t.say("")
	t.say("5. WHAT THIS PROVES, AND WHAT IT DOESN'T")
	t.say("   Proven: which keys signed what, under which published rule, in which order; and that what is in the log")
	t.say("   was not changed since. The times are shown by three witnesses that run on this machine, in this program:")
	t.say("   that is how it works, and it proves no time. Witnesses that others run, elsewhere, do.")
	t.say("   What no log can prove: that the reports are true, that two names are two people, that all was recorded.")
	t.say("")
	t.say("It is all in %s. Check it yourself:", t.dir)
	t.say("   docket-verify receipt --policy %s %s", t.path("trust.policy"), filepath.Join(t.dir, "receipts", "*.tlog-proof"))
	t.say("   docket-verify receipt --policy %s %s", t.path("witnessed.policy"), filepath.Join(t.dir, "witnessed", "*.tlog-proof"))
	t.say("   docket-verify audit --policy %s %s", t.path("trust.policy"), t.path("altered"))
}
