package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/source"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/telling"
)

// diff finds the first entry at which two copies of a log part.
func diff(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-verify diff")
	policy := policyFlag(flags)
	out := flags.String("out", "", "`file` for the evidence, if they part; it must not be there yet")
	asJSON := flags.Bool("json", false, "print one JSON object")
	if err := flags.ParseArgs(args, 2, 2, "URL|DIR|ZIP URL|DIR|ZIP", "docket-verify diff --policy trust.policy --out fork.evidence https://ledger.example.com mirror"); err != nil {
		return err
	}
	if err := flags.Require("policy"); err != nil {
		return err
	}
	d := difference{names: [2]string{flags.Arg(0), flags.Arg(1)}}
	for i, where := range d.names {
		var err error
		if d.copies[i], err = openCopy(ctx, where, *policy); err != nil {
			return err
		}
	}
	if err := d.find(ctx, *policy); err != nil {
		return err
	}
	if err := d.show(std, *asJSON); err != nil {
		return err
	}
	if !d.part() {
		return nil
	}
	if *out != "" {
		if err := keepEvidence(*out, d.evidence); err != nil {
			return err
		}
		if !*asJSON {
			fmt.Fprintf(std.Out, "  evidence   %s: docket-verify fork --policy … proves it to anybody\n", telling.Plain(*out))
		}
	}
	return cli.DoesNotHold()
}

// openCopy opens a copy of a log that a log key of the policies signed, with or
// without witnesses.
func openCopy(ctx context.Context, where string, policy policies) (*head, error) {
	src, err := source.Open(where)
	if err != nil {
		return nil, err
	}
	note, err := src.ReadFile(ctx, "checkpoint")
	if err != nil {
		return nil, cli.Unknown(fmt.Errorf("%s: read the checkpoint: %w", where, err))
	}
	signed, err := policy.Held(note)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	return &head{signed[0], signed[0].Tree(src)}, nil
}

// A difference is that of two copies of a log.
type difference struct {
	names    [2]string
	copies   [2]*head
	common   int64 // so many entries from the beginning are the same
	evidence verify.Evidence
	proven   *verify.Accusation
	unproven error // why the evidence does not prove anything
}

func (d *difference) size(i int) int64 { return d.copies[i].signed.Checkpoint.Size }

// part reports whether neither copy is the beginning of the other.
func (d *difference) part() bool { return d.common < min(d.size(0), d.size(1)) }

func (d *difference) find(ctx context.Context, policy policies) error {
	var err error
	if d.common, err = verify.Common(ctx, d.copies[0].tree, d.copies[1].tree); err != nil {
		return unreadable(err)
	}
	if !d.part() {
		return nil
	}
	var places [2]verify.Place
	for i, c := range d.copies {
		if places[i], err = c.tree.Place(ctx, d.common); err != nil {
			return unreadable(fmt.Errorf("%s: %w", d.names[i], err))
		}
	}
	d.evidence = verify.EntryEvidence(places[0], places[1])
	d.proven, d.unproven = policy.Prove(d.evidence)
	return nil
}

// unreadable tells a copy that is damaged, or of another log, from one that could
// not be read.
func unreadable(err error) error {
	var file *verify.FileError
	if errors.As(err, &file) || errors.Is(err, verify.ErrOrigin) {
		return err
	}
	return cli.Unknown(err)
}

// diffJSON is what --json prints.
type diffJSON struct {
	Same     bool             `json:"same"`
	Part     bool             `json:"part"`
	Common   int64            `json:"common"` // entries from the beginning
	Sizes    [2]int64         `json:"sizes"`
	Evidence *verify.Evidence `json:"evidence,omitempty"`
	Error    string           `json:"error,omitempty"` // why that proves nothing
}

func (d *difference) show(std cli.Streams, asJSON bool) error {
	if asJSON {
		j := diffJSON{Part: d.part(), Common: d.common, Sizes: [2]int64{d.size(0), d.size(1)}}
		j.Same = !j.Part && d.size(0) == d.size(1)
		if j.Part {
			j.Evidence = &d.evidence
		}
		if d.unproven != nil {
			j.Error = d.unproven.Error()
		}
		b, err := json.Marshal(j)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(std.Out, "%s\n", b)
		return err
	}
	origin := d.copies[0].signed.Checkpoint.Origin
	say := func(format string, args ...any) { fmt.Fprintln(std.Out, telling.Plain(fmt.Sprintf(format, args...))) }
	switch small, large := 0, 1; {
	case d.part():
		say("PART  %s at entry %d: %s the same in both copies", origin, d.common, count(d.common, "entry before it is", "entries before it are"))
		for i := range d.copies {
			fmt.Fprintf(std.Out, "  %-11s%s\n", "in", telling.Plain(fmt.Sprintf("%s, of %d entries: %s", d.names[i], d.size(i), d.entry(i))))
		}
		if d.unproven != nil {
			say("  not proven %v", d.unproven)
			return nil
		}
		say("  proven     each of the two is in a tree that the log signed, at the same place: it signed two histories")
		say("  not proven which of them is the true one")
	case d.size(0) == d.size(1):
		say("SAME  %s: both copies have the same %d entries", origin, d.common)
	default:
		if d.size(0) > d.size(1) {
			small, large = large, small
		}
		say("ONE IS THE BEGINNING OF THE OTHER  %s: the %d entries of %s are the first of %d of %s", origin, d.size(small), d.names[small], d.size(large), d.names[large])
	}
	return nil
}

// entry tells the entry of a copy at which they part.
func (d *difference) entry(i int) string {
	p := d.evidence.Places[i]
	return entryWords(p.Bytes(), p.Leaf)
}
