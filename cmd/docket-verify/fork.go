package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// fork proves evidence files to somebody who trusts nothing but the keys of a
// trust policy.
func fork(_ context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-verify fork")
	policy := policyFlag(flags)
	asJSON := flags.Bool("json", false, "print one JSON object for each file")
	if err := flags.ParseArgs(args, 1, -1, "FILE...", "docket-verify fork --policy trust.policy mirror.fork-1f2e3d4c5b6a7988.json"); err != nil {
		return err
	}
	if err := flags.Require("policy"); err != nil {
		return err
	}
	var worst error
	for _, path := range flags.Args() {
		accusation, err := prove(path, *policy)
		if werr := showAccusation(std.Out, path, accusation, err, *asJSON); werr != nil {
			return werr
		}
		switch {
		case cli.Code(err) == 3:
			err = cli.Unknown(cli.DoesNotHold())
		case err != nil:
			err = cli.DoesNotHold()
		}
		worst = worse(worst, err)
	}
	return worst
}

func prove(path string, policy policies) (*verify.Accusation, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cli.Unknown(err)
	}
	b, err := io.ReadAll(io.LimitReader(f, verify.MaxEvidence+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, cli.Unknown(err)
	}
	e, err := verify.ParseEvidence(b)
	if err != nil {
		return nil, err
	}
	return policy.Prove(e)
}

// accusationJSON is what --json prints of a file.
type accusationJSON struct {
	File       string          `json:"file"`
	Proven     bool            `json:"proven"`
	Error      string          `json:"error,omitempty"`
	Kind       verify.Kind     `json:"kind,omitempty"`
	Origin     string          `json:"origin,omitempty"`
	Against    string          `json:"against,omitempty"` // a vkey
	Why        string          `json:"why,omitempty"`
	Statements []statementJSON `json:"statements,omitempty"`
	Index      *int64          `json:"index,omitempty"`
	Leaves     []string        `json:"leaves,omitempty"`
}

type statementJSON struct {
	Size       int64           `json:"size"`
	Root       string          `json:"root"`
	Checkpoint string          `json:"checkpoint"`
	Signatures []signatureJSON `json:"signatures"`
	Ignored    int             `json:"ignored,omitzero"` // signature lines of unknown keys
}

type signatureJSON struct {
	VKey    string      `json:"vkey"`
	Log     bool        `json:"log,omitzero"`
	Witness string      `json:"witness,omitempty"`
	Time    record.Time `json:"time,omitzero"`
}

func accusationOf(path string, a *verify.Accusation, err error) accusationJSON {
	j := accusationJSON{File: path, Proven: err == nil}
	if err != nil {
		j.Error = err.Error()
		return j
	}
	j.Kind, j.Origin, j.Against, j.Why = a.Kind, a.Origin, a.Against.Key.String(), strings.Join(why(a), " ")
	for _, s := range a.Statements {
		st := statementJSON{Size: s.Checkpoint.Size, Root: s.Checkpoint.Root.String(), Checkpoint: string(s.Note), Ignored: s.Ignored}
		for _, g := range s.Signatures {
			st.Signatures = append(st.Signatures, signatureJSON{g.Key.String(), g.Log, g.Witness, record.Time(g.Time)})
		}
		j.Statements = append(j.Statements, st)
	}
	if len(a.Leaves) > 0 {
		j.Index = &a.Index
	}
	for _, leaf := range a.Leaves {
		j.Leaves = append(j.Leaves, leaf.String())
	}
	return j
}

func showAccusation(w io.Writer, path string, a *verify.Accusation, err error, asJSON bool) error {
	text := ""
	if asJSON {
		b, err := json.Marshal(accusationOf(path, a, err))
		if err != nil {
			return err
		}
		text = string(b) + "\n"
	} else {
		text = accusationWords(path, a, err)
	}
	_, werr := io.WriteString(w, text)
	return werr
}

// accusationWords tells a person who knows nothing of logs what evidence proves.
func accusationWords(path string, a *verify.Accusation, err error) string {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-11s%s\n", label, telling.Plain(fmt.Sprintf(format, args...)))
	}
	if err != nil {
		heading := "NOT PROVEN"
		if cli.Code(err) == 3 {
			heading = "CAN'T TELL"
		}
		fmt.Fprintf(&b, "%s  %s\n", heading, telling.Plain(path))
		line("why", "%v", err)
		if errors.Is(err, verify.ErrNoProof) {
			line("", "Keep the file all the same: with another checkpoint of this log it may become proof.")
		}
		return b.String()
	}
	fmt.Fprintf(&b, "PROVEN  %s\n", telling.Plain(path))
	line("", "%s", claim(a))
	for i, s := range a.Statements {
		label := "signed"
		if i > 0 {
			label = "and"
		}
		cp := s.Checkpoint
		line(label, "%s had %d entries with the root %v", cp.Origin, cp.Size, cp.Root)
		for _, g := range s.Signatures {
			line("", "  %s", signedBy(g))
		}
		if s.Ignored > 0 {
			line("", "  %s of keys that the trust policy does not name: not checked, and not needed", count(int64(s.Ignored), "signature", "signatures"))
		}
		if a.Kind == verify.KindEntry || a.Kind == verify.KindRecord {
			line("", "  and thereby that entry %d is %s", a.Index, entryWords(a.Entries[i], a.Leaves[i].String()))
		}
	}
	for i, sentence := range why(a) {
		label := ""
		if i == 0 {
			label = "why"
		}
		line(label, "%s", sentence)
	}
	for _, s := range a.Both() {
		if a.Kind != verify.KindRollback {
			line("witness", "%s cosigned both: it vouched for two histories, so nobody should rely on it", s.Witness)
		}
	}
	for i, sentence := range unproven(a) {
		label := ""
		if i == 0 {
			label = "not proven"
		}
		line(label, "%s", sentence)
	}
	return b.String()
}

// claim says in one sentence what is proven.
func claim(a *verify.Accusation) string {
	who := fmt.Sprintf("The log %s", a.Origin)
	switch a.Kind {
	case verify.KindEntry:
		return fmt.Sprintf("%s signed two different entries at one place, number %d: what it promised to one reader is not what it shows another.", who, a.Index)
	case verify.KindRecord:
		return fmt.Sprintf("%s holds an entry, number %d, that no honest server puts there.", who, a.Index)
	case verify.KindRollback:
		if a.Against.Log {
			return who + " was set back: it signed a smaller log after a larger one."
		}
		return fmt.Sprintf("The witness %s contradicts itself about the log %s: it vouched for a smaller log after a larger one.", a.Against.Witness, a.Origin)
	}
	return who + " signed two histories that contradict each other."
}

// why says why not all that was signed can be true.
func why(a *verify.Accusation) []string {
	old := a.Statements[0].Checkpoint
	cur := a.Statements[len(a.Statements)-1].Checkpoint
	switch {
	case a.Kind == verify.KindEntry:
		return []string{"A log only grows at its end: what stands at a place stays there, the same to the byte, for ever and for everybody."}
	case a.Kind == verify.KindRecord:
		return []string{a.Detail + ".", "The server of a ledger checks this before it takes a record, and refuses such a one; it is not even logged as void."}
	case a.Kind == verify.KindRollback:
		return []string{
			fmt.Sprintf("%s signed at %s that the log had %d entries, and at %s that the most it knew was %d.",
				keyWords(a.Against), record.Time(a.Dates[0]), cur.Size, record.Time(a.Dates[1]), old.Size),
			"A log only grows, so the later statement can't be true if the earlier one is.",
		}
	case old.Size == cur.Size:
		return []string{fmt.Sprintf("Both are of %d entries. The root is computed from all entries: two roots mean that at least one entry differs.", cur.Size)}
	case old.Root == cur.Root:
		return []string{fmt.Sprintf("The root is computed from all entries: no log has the same one with %d entries and with %d.", old.Size, cur.Size)}
	}
	return []string{
		fmt.Sprintf("A log only grows at its end. The proof in the file shows that in the log of %d entries the first %d have", cur.Size, old.Size),
		fmt.Sprintf("the root %v, not the one that was signed for them: at least one of these entries differs.", a.Root),
	}
}

// unproven says what does not follow.
func unproven(a *verify.Accusation) []string {
	whose := "whether the operator signed, or somebody else who had got hold of its key;"
	if a.Kind == verify.KindRollback && !a.Against.Log {
		return []string{
			"that the log was set back: a witness that lost its memory, or has a wrong clock, does this, too;",
			"whether the witness signed, or somebody else who had got hold of its key.",
		}
	}
	switch a.Kind {
	case verify.KindRecord:
		return []string{whose, "that a person whom the record names did anything wrong."}
	case verify.KindRollback:
		return []string{whose, "which entries are gone, or that the smaller log is a beginning of the larger one."}
	case verify.KindEntry:
		return []string{whose, "which of the two is the true one, who was shown which, and when; whether what the entries say is true."}
	}
	return []string{whose, "which of the two is the true one, which entries differ (docket-verify diff finds the first in two copies),",
		"who was shown which, and when."}
}

func keyWords(s verify.Signature) string {
	kind := ""
	switch {
	case s.Log:
		kind = "the log's key "
	case s.Witness != "":
		kind = "the witness " + s.Witness + ", key "
	}
	return fmt.Sprintf("%s%s+%08x", kind, s.Key.Name, s.Key.ID())
}

func signedBy(s verify.Signature) string {
	text := "by " + keyWords(s)
	if s.Time != 0 {
		text += fmt.Sprintf(", which dates it %s", record.Time(s.Time))
	}
	return text
}

// entryWords tells an entry, whose signatures were not checked. b is nil if only
// its leaf hash is known.
func entryWords(b []byte, leaf string) string {
	if b == nil {
		return "one with the leaf hash " + leaf
	}
	u, err := record.Parse(b)
	if err != nil {
		text := fmt.Sprintf("%d bytes that are no record of a ledger, with the leaf hash %s", len(b), leaf)
		if utf8.Valid(b) {
			text += fmt.Sprintf(": %.80q", b)
		}
		return text
	}
	return fmt.Sprintf("%s: %s", u.ID(), telling.Summary(u.Payload()))
}
