package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// An actKind is a record that is drafted from a file of its members: by staff in
// YAML, by machines in JSON, which is YAML.
type actKind struct {
	command string
	short   string
	typ     record.Type
	make    func() record.Payload
	signers string
	example string
}

// actKinds are the commands that draft one type of record each. decide and
// ratify have files of their own.
var actKinds = []actKind{
	{"intake", "drafts that a report or an order arrived", record.TypeIntake,
		func() record.Payload { return &record.Intake{} }, "one holder of the role intake", intakeYAML},
	{"notify", "drafts that the subject was told what is intended, or was decided", record.TypeNotice,
		func() record.Payload { return &record.Notice{} }, "one decider", noticeYAML},
	{"appeal", "drafts that somebody complained about a decision", record.TypeAppeal,
		func() record.Payload { return &record.Appeal{} }, "one holder of the role intake; the filer may sign along", appealYAML},
	{"rule", "drafts the ruling on an appeal", record.TypeRuling,
		func() record.Payload { return &record.Ruling{} }, "as many of the role appeals as the clause says, none of whom signed an act of the case", rulingYAML},
	{"correct", "drafts a clerical correction of a decision", record.TypeErratum,
		func() record.Payload { return &record.Erratum{} }, "as many deciders as had to sign the decision", erratumYAML},
	{"execute", "drafts that a decision was carried out, or could not be", record.TypeExecution,
		func() record.Payload { return &record.Execution{} }, "one holder of the role enforcer", executionYAML},
	{"policy repeal", "drafts that a policy ends", record.TypePolicyRepeal,
		func() record.Payload { return &record.PolicyRepeal{} }, "as many policy owners as the charter says", repealYAML},
	{"charter amend", "drafts new terms of the charter", record.TypeCharterAmend,
		func() record.Payload { return &record.CharterAmend{} }, "as many of the administration as the charter says; what makes the ledger less strict waits unless the recovery keys sign, too", amendYAML},
}

// commands returns a command for each kind.
func actCommands() []cli.Command {
	var all []cli.Command
	for _, k := range actKinds {
		all = append(all, cli.Command{Name: k.command, Short: k.short, Run: k.run})
	}
	return all
}

func (k actKind) run(_ context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket " + k.command)
	example := flags.Bool("example", false, "print an example of the file, with comments, and end")
	ledger := originFlag(flags)
	subjectKey := flags.String("subject-key", "", "`file` of the key of the subject pseudonyms: computes subject.ref from subject.name")
	out := outFlag(flags)
	if err := flags.ParseArgs(args, 0, 1, "FILE.yaml", fmt.Sprintf("docket %s --example > act.yaml\n  docket %s act.yaml --out act.draft", k.command, k.command)); err != nil {
		return err
	}
	if *example {
		_, err := io.WriteString(std.Out, strings.ReplaceAll(k.example, "{now}", record.Time(time.Now().Unix()).String()))
		return err
	}
	if flags.NArg() == 0 {
		return cli.Usage(fmt.Errorf("docket %s: FILE.yaml is missing, - reads standard input; --example prints one", k.command))
	}
	if err := flags.Require("out"); err != nil {
		return err
	}
	s, err := sheetFrom(flags.Arg(0), std)
	if err != nil {
		return err
	}
	if err := s.pseudonym(*subjectKey); err != nil {
		return err
	}
	p := k.make()
	if err := s.payload(p, k.typ, *ledger); err != nil {
		return err
	}
	return s.explain(writeDraft(p, *out, k.signers, std))
}

// sheetFrom reads a sheet from a file, or from standard input for -.
func sheetFrom(name string, std cli.Streams) (*sheet, error) {
	if name != "-" {
		return readSheet(name)
	}
	text, err := io.ReadAll(io.LimitReader(std.In, 4*record.MaxSize))
	if err != nil {
		return nil, cli.Unknown(err)
	}
	return parseSheet("standard input", text)
}

// due prints what is owed, as the ledger says; an audit says the same.
func due(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket due")
	url := flags.String("ledger", "", "`URL` of the ledger, required")
	at := flags.String("at", "", "`time` to ask for (default now)")
	asJSON := flags.Bool("json", false, "print one JSON object")
	if err := flags.ParseArgs(args, 0, 0, "", "docket due --ledger https://ledger.example.com"); err != nil {
		return err
	}
	if err := flags.Require("ledger"); err != nil {
		return err
	}
	when, err := optionalTime("at", *at)
	if err != nil {
		return err
	}
	if when == 0 {
		when = record.Time(time.Now().Unix())
	}
	c, err := connect(*url)
	if err != nil {
		return err
	}
	d, err := c.Due(ctx, when)
	if err != nil {
		return told(err)
	}
	return tellDue(d, *asJSON, std)
}

func tellDue(d client.Due, asJSON bool, std cli.Streams) error {
	if asJSON {
		b, err := json.Marshal(d)
		if err == nil {
			_, err = fmt.Fprintf(std.Out, "%s\n", b)
		}
		return err
	}
	fmt.Fprintf(std.Out, "As of %s, by the first %d entries:\n", d.Time, d.Size)
	if len(d.Duties) == 0 {
		fmt.Fprintln(std.Out, "  nothing is owed")
	}
	for _, o := range d.Duties {
		fmt.Fprintf(std.Out, "  %s\n", telling.Plain(telling.Duty(o.Duty)))
	}
	return nil
}
