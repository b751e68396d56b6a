package main

import (
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/telling"
)

// caseJSON is what case --json prints.
type caseJSON struct {
	Case      string      `json:"case"`
	Origin    string      `json:"origin"`
	Size      int64       `json:"size"`
	Whole     bool        `json:"whole"` // the whole log was audited
	Time      record.Time `json:"time,omitzero"`
	Witnessed bool        `json:"witnessed"`
	// Entries are the records of the case, in the order of the log.
	Entries []caseEntryJSON `json:"entries"`
	Duties  []rules.Duty    `json:"duties,omitempty"`
}

type caseEntryJSON struct {
	Index     int64          `json:"index"`
	ID        record.ID      `json:"id"`
	Type      record.Type    `json:"type"`
	Standing  string         `json:"standing"`
	Codes     []rules.Code   `json:"codes,omitempty"`
	Findings  []rules.Code   `json:"findings,omitempty"`
	SaidVoid  bool           `json:"said_void,omitzero"`
	Status    rules.Status   `json:"status,omitempty"`
	Contested bool           `json:"contested,omitzero"`
	Signers   []signerJSON   `json:"signers"`
	Times     *timesJSON     `json:"times,omitempty"`
	Dated     string         `json:"decided_at_lies,omitempty"`
	Clauses   []clauseJSON   `json:"clauses,omitempty"`
	Payload   jsontext.Value `json:"payload"`
}

func printCase(out io.Writer, story *telling.Case) error {
	c := caseJSON{Case: story.Name, Origin: story.Origin, Size: story.Size, Whole: story.Whole, Time: story.Time,
		Witnessed: story.Witnessed, Duties: story.Duties}
	for _, e := range story.Entries {
		j, err := caseEntryOf(e)
		if err != nil {
			return err
		}
		c.Entries = append(c.Entries, j)
	}
	b, err := json.Marshal(c, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", b)
	return err
}

func caseEntryOf(e telling.Entry) (caseEntryJSON, error) {
	draft, err := record.NewDraft(e.Payload)
	if err != nil {
		return caseEntryJSON{}, err
	}
	j := caseEntryJSON{Index: e.Index, ID: e.ID, Type: e.Payload.Head().Type, Standing: standingOf(e.Standing), Codes: e.Standing.Codes,
		Findings: e.Standing.Findings, SaidVoid: e.SaidVoid, Times: timesOf(e.Times), Clauses: clausesOf(e.Clauses, telling.AtDecision(e.Payload, e.Times)), Payload: draft.PayloadBytes()}
	if e.Status != nil {
		j.Status, j.Contested = e.Status.Status, e.Status.Contested
	}
	for _, s := range e.Signers {
		j.Signers = append(j.Signers, signerJSON{s.Holder, s.Header.KID, record.Time(s.Header.IAT)})
	}
	if d, ok := e.Payload.(*record.Decision); ok {
		j.Dated = telling.Lies(d.DecidedAt, e.Times)
	}
	return j, nil
}
