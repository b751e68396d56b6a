package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/telling"
)

// trust explains trust policies in words, and warns of weak ones.
func trust(_ context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-verify trust")
	strict := flags.Bool("strict", false, "exit 1 if there are warnings")
	asJSON := flags.Bool("json", false, "print one JSON object for each policy")
	if err := flags.ParseArgs(args, 1, -1, "FILE...", "docket-verify trust trust.policy"); err != nil {
		return err
	}
	var worst error
	for _, path := range flags.Args() {
		weak, err := trustOne(std.Out, path, *asJSON)
		if err == nil && weak && *strict {
			err = cli.DoesNotHold()
		}
		worst = worse(worst, err)
	}
	return worst
}

// trustOne explains one policy and reports whether it is weak. What is wrong with
// the file is told; the error has the exit code.
func trustOne(out io.Writer, path string, asJSON bool) (weak bool, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		err = cli.Unknown(err)
	}
	var p *verify.Policy
	if err == nil {
		p, err = verify.ParsePolicy(b)
	}
	if err != nil {
		text := fmt.Sprintf("CAN'T BE USED  %s\n  why        %s\n", path, telling.Plain(err.Error()))
		if asJSON {
			line, jsonErr := json.Marshal(trustJSON{File: path, Error: err.Error()})
			text = string(line) + "\n"
			err = errors.Join(err, jsonErr)
		}
		if _, werr := io.WriteString(out, text); werr != nil {
			return false, werr
		}
		if cli.Code(err) == 3 {
			return false, cli.Unknown(cli.DoesNotHold())
		}
		return false, cli.DoesNotHold()
	}
	weaknesses := p.Weaknesses()
	text := trustWords(path, p, weaknesses)
	if asJSON {
		line, err := json.Marshal(trustOf(path, p, weaknesses))
		if err != nil {
			return false, err
		}
		text = string(line) + "\n"
	}
	_, err = io.WriteString(out, text)
	return len(weaknesses) > 0, err
}

// trustWords explains a policy to who did not write it.
func trustWords(path string, p *verify.Policy, weaknesses []verify.Weakness) string {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-11s%s\n", label, telling.Plain(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(&b, "TRUST POLICY  %s\n", path)
	logs := p.Logs()
	for _, l := range logs {
		line("log", "%s, by its %s key %08x%s", l.Key.Name, algorithm(l.Key.Alg), l.Key.ID(), at(l.URL))
	}
	if len(logs) > 1 {
		line("", "A checkpoint counts if one of these keys signed it.")
	} else if len(logs) == 1 {
		line("", "A checkpoint counts only if this key signed it.")
	}
	for _, w := range p.Witnesses() {
		line("witness", "%s, by the %s key of %s, %08x%s", w.Name, algorithm(w.Key.Alg), w.Key.Name, w.Key.ID(), at(w.URL))
	}
	if q := p.Tree(); q == nil {
		line("needed", "no witness: the log's word is enough")
	} else {
		tellQuorum(line, "needed", "", q)
		line("means", "%s", meaning(q))
	}
	for _, w := range weaknesses {
		line("WARNING", "%s (%s)", w.Text, w.Code)
	}
	return b.String()
}

// tellQuorum tells who must have cosigned, groups indented.
func tellQuorum(line func(label, format string, args ...any), label, indent string, q *verify.Quorum) {
	if q.Witness != nil {
		line(label, "%s%s", indent, q.Name)
		return
	}
	what := fmt.Sprintf("at least %d of these %d", q.Need, len(q.Of))
	if q.Need == len(q.Of) {
		what = fmt.Sprintf("all of these %d", len(q.Of))
	}
	line(label, "%s%s (%s):", indent, what, q.Name)
	for _, m := range q.Of {
		tellQuorum(line, "", indent+"  ", m)
	}
}

// meaning says what it takes to cheat, and what may fail.
func meaning(q *verify.Quorum) string {
	cheat := "nobody but the log need cheat for two histories to be accepted"
	if n := q.MustLie(); n > 0 {
		cheat = fmt.Sprintf("two histories are both accepted only if the log cheats, and at least %d of the witnesses with it", n)
	}
	fail := "if any one of them is out of reach, nothing new may be accepted"
	if n := q.MayFail(); n > 0 {
		fail = count(int64(n), "of them, whichever it is, may be out of reach", "of them, whichever they are, may be out of reach")
	}
	return cheat + "; " + fail
}

func algorithm(a verify.Alg) string {
	if a == verify.MLDSA44Cosignature {
		return "ML-DSA-44"
	}
	return "Ed25519"
}

func at(url string) string {
	if url == "" {
		return ""
	}
	return ", at " + url
}

// trustJSON is what --json prints for a policy.
type trustJSON struct {
	File      string            `json:"file"`
	Error     string            `json:"error,omitempty"`
	Logs      []trustKeyJSON    `json:"logs,omitempty"`
	Witnesses []trustKeyJSON    `json:"witnesses,omitempty"`
	Quorum    *quorumJSON       `json:"quorum,omitempty"` // absent if it is none
	Least     int               `json:"least"`            // witnesses that reach it
	MustLie   int               `json:"must_lie"`         // for two histories to be accepted
	MayFail   int               `json:"may_fail"`         // whichever they are
	Warnings  []verify.Weakness `json:"warnings"`
}

type trustKeyJSON struct {
	Name      string `json:"name"`
	KeyName   string `json:"key_name,omitempty"`
	Algorithm string `json:"algorithm"`
	KeyID     string `json:"key_id"`
	URL       string `json:"url,omitempty"`
}

type quorumJSON struct {
	Name string        `json:"name"`
	Need int           `json:"need,omitzero"`
	Of   []*quorumJSON `json:"of,omitempty"`
}

func trustOf(path string, p *verify.Policy, weaknesses []verify.Weakness) trustJSON {
	t := trustJSON{File: path, Warnings: weaknesses}
	for _, l := range p.Logs() {
		t.Logs = append(t.Logs, trustKeyJSON{l.Key.Name, "", algorithm(l.Key.Alg), fmt.Sprintf("%08x", l.Key.ID()), l.URL})
	}
	for _, w := range p.Witnesses() {
		t.Witnesses = append(t.Witnesses, trustKeyJSON{w.Name, w.Key.Name, algorithm(w.Key.Alg), fmt.Sprintf("%08x", w.Key.ID()), w.URL})
	}
	if q := p.Tree(); q != nil {
		t.Quorum, t.Least, t.MustLie, t.MayFail = quorumOf(q), q.Least(), q.MustLie(), q.MayFail()
	}
	return t
}

func quorumOf(q *verify.Quorum) *quorumJSON {
	j := &quorumJSON{Name: q.Name, Need: q.Need}
	for _, m := range q.Of {
		j.Of = append(j.Of, quorumOf(m))
	}
	return j
}
