package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/demo"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify/record"
)

// writeDraft writes a record without signatures to a new file.
func writeDraft(p record.Payload, out, signers string, std cli.Streams) error {
	u, err := record.NewDraft(p)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: name another file, for a draft may hold signatures", out)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(u.Bytes())
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	fmt.Fprintf(std.Err, "docket: wrote %s, a draft of a %s. To sign: %s\n", out, p.Head().Type, signers)
	return nil
}

func policyPublish(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket policy publish")
	example := flags.Bool("example", false, "print a worked policy as a YAML file, with comments, and end")
	before := flags.String("before", "", "`file` with the version before, to tell what changes: YAML, draft, record or receipt")
	from := flags.String("from", "", "`URL` of the ledger, to tell what changes against its newest version")
	ledger := originFlag(flags)
	out := outFlag(flags)
	if err := flags.ParseArgs(args, 0, 1, "FILE.yaml", "docket policy publish --example > rules.yaml\n  docket policy publish rules.yaml --ledger ledger.example.com/2026 --out rules.draft"); err != nil {
		return err
	}
	if *example {
		_, err := std.Out.Write(demo.PolicyYAML)
		return err
	}
	if flags.NArg() == 0 {
		return cli.Usage(errors.New("docket policy publish: FILE.yaml is missing, --example prints one"))
	}
	if err := flags.Require("out"); err != nil {
		return err
	}
	p := &record.PolicyPublish{}
	s, err := readSheet(flags.Arg(0))
	if err != nil {
		return err
	}
	if err := s.payload(p, record.TypePolicyPublish, *ledger); err != nil {
		return err
	}
	old, err := policyBefore(ctx, p, *before, *from)
	if err != nil {
		return err
	}
	if old != nil {
		tellChanges(std.Out, old, p)
	}
	return s.explain(writeDraft(p, *out, "as many policy owners as the charter says", std))
}

func decide(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket decide")
	example := flags.Bool("example", false, "print an example of the YAML file, with comments, and end")
	ledger := originFlag(flags)
	subjectKey := flags.String("subject-key", "", "`file` of the key of the subject pseudonyms: computes subject.ref from subject.name")
	opt := walkOptions{}
	flags.StringVar(&opt.from, "from", "", "`URL` of the ledger: its like cases are shown and named; without FILE its clauses in force are offered")
	flags.Func("policy-record", "`file` of a policy.publish, or of its receipt, whose clauses are offered, without FILE and --from; may be repeated", func(s string) error {
		opt.policies = append(opt.policies, s)
		return nil
	})
	flags.StringVar(&opt.resume, "continue", "", "`file` of the answers that were kept when you stopped, without FILE")
	out := outFlag(flags)
	if err := flags.ParseArgs(args, 0, 1, "FILE.yaml", "docket decide --from https://ledger.example.com --subject-key subject.key --out decision.draft\n"+
		"  docket decide --example > decision.yaml\n  docket decide decision.yaml --subject-key subject.key --from https://ledger.example.com --out decision.draft"); err != nil {
		return err
	}
	if *example {
		_, err := fmt.Fprint(std.Out, exampleDecision(time.Now()))
		return err
	}
	switch {
	case flags.NArg() == 0 && keyboard(std) == nil:
		return cli.Usage(errors.New("docket decide: FILE.yaml is missing, and there is no terminal to ask at"))
	case flags.NArg() > 0 && opt.walked():
		return cli.Usage(errors.New("docket decide: --policy-record and --continue are for questions, without FILE.yaml"))
	case opt.from != "" && len(opt.policies) > 0:
		return cli.Usage(errors.New("docket decide: --from and --policy-record exclude each other"))
	}
	if err := flags.Require("out"); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		opt.origin, opt.subjectKey, opt.out = *ledger, *subjectKey, *out
		return decideByWalk(ctx, opt, std)
	}
	s, err := readSheet(flags.Arg(0))
	if err != nil {
		return err
	}
	if err := s.pseudonym(*subjectKey); err != nil {
		return err
	}
	p := &record.Decision{}
	if err := s.payload(p, record.TypeDecision, *ledger); err != nil {
		return err
	}
	if err := alike(ctx, opt.from, p, std); err != nil {
		return err
	}
	return s.explain(writeDraft(p, *out, "as many deciders as the clause says", std))
}

func readSheet(name string) (*sheet, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return parseSheet(name, text)
}

// pseudonym computes subject.ref where it is left out, from type and name. A
// name that is a domain needs no type.
func (s *sheet) pseudonym(keyFile string) error {
	subject, ok := s.value["subject"].(map[string]any)
	if !ok || subject["ref"] != nil {
		return nil
	}
	name, _ := subject["name"].(string)
	kind, there := subject["type"].(string)
	if name == "" {
		return nil // package record says what is missing
	}
	if _, err := keyfile.Canonical("domain", name); err == nil && !there {
		kind = "domain"
		subject["type"] = kind
	}
	if keyFile == "" {
		return &fault{s.name, s.line("subject"), "subject/ref is missing", "give --subject-key, and it is computed from name and type"}
	}
	key, err := keyfile.ReadSubjectKey(keyFile)
	if err != nil {
		return err
	}
	ref, err := key.Ref(kind, name)
	if err != nil {
		return &fault{s.name, s.line("subject"), err.Error(), ""}
	}
	subject["ref"] = ref
	return nil
}

func ratify(_ context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket ratify")
	ledger := originFlag(flags)
	p := &record.Ratification{}
	flags.StringVar(&p.Case, "case", "", "`name` of the case, required")
	flags.StringVar(&p.Reasons, "reasons", "", "why it is approved, in `words`, required; - reads them from standard input")
	flags.StringVar(&p.Lang, "lang", "en", "BCP 47 `tag` of the language of the reasons")
	prev := flags.String("prev", "", "`id` of the newest act of the case, if that is not the decision")
	out := outFlag(flags)
	if err := flags.ParseArgs(args, 1, 1, "DECISION-ID", `docket ratify d-… --ledger ledger.example.com/2026 --case example-1 --reasons "We agree." --out ratify.draft`); err != nil {
		return err
	}
	if err := flags.Require("ledger", "case", "reasons", "out"); err != nil {
		return err
	}
	p.Ledger, p.Decision, p.Prev = *ledger, record.ID(flags.Arg(0)), record.ID(*prev)
	if *prev == "" {
		p.Prev = p.Decision
	}
	if p.Reasons == "-" {
		text, err := io.ReadAll(io.LimitReader(std.In, record.MaxSize))
		if err != nil {
			return err
		}
		p.Reasons = strings.TrimSpace(string(text))
	}
	return writeDraft(p, *out, "as many ratifiers as the clause says, none of whom signed the decision", std)
}
