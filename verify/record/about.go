package record

import (
	"slices"
	"strings"
)

// The records of this file speak about a decision, or about the log itself, and
// don't move a case.

// Correctable are the members of a decision that an Erratum may correct: never
// what the rules read.
var Correctable = []string{"alternatives", "distinguishing_reason", "evidence", "facts", "lang", "reasons", "redress",
	"subject/locator", "subject/name", "territory", "trigger/authority", "trigger/legal_reference", "trigger/reporter"}

// An Erratum is a clerical correction of a decision. The decision stays as it
// is; readers are shown both.
type Erratum struct {
	Common
	// About is the id of the decision.
	About       ID           `json:"about"`
	Corrections []Correction `json:"corrections"`
	Lang        string       `json:"lang"`
	Reasons     string       `json:"reasons"`
}

// A Correction says what a member should have said.
type Correction struct {
	// Is is what it should say, Was what it says.
	Is string `json:"is"`
	// Member is one of Correctable, or an element of one, like
	// evidence/0/what.
	Member string `json:"member"`
	Was    string `json:"was"`
}

func (p *Erratum) check(c *checker) {
	p.Common.check(c)
	c.id("about", p.About)
	c.count("corrections", len(p.Corrections), 1, 16)
	for i, k := range p.Corrections {
		m := at("corrections", i)
		c.text(m+"/is", k.Is)
		if !slices.ContainsFunc(Correctable, func(s string) bool { return s == k.Member || strings.HasPrefix(k.Member, s+"/") }) {
			c.wrong(m+"/member", quote(k.Member), "one of "+strings.Join(Correctable, ", "))
		}
		c.text(m+"/was", k.Was)
	}
	c.lang("lang", p.Lang)
	c.text("reasons", p.Reasons)
}

// Results are the values of Execution.Result.
var Results = []string{"done", "failed"}

// An Execution says that an enforcement system did, or failed to do, what a
// decision says.
type Execution struct {
	Common
	// About is the id of the decision.
	About ID `json:"about"`
	// At is when, as the system says.
	At     Time   `json:"at"`
	Detail string `json:"detail,omitempty"`
	Lang   string `json:"lang,omitempty"`
	Result string `json:"result"`
	// System names the enforcement system, a slug.
	System string `json:"system"`
}

func (p *Execution) check(c *checker) {
	p.Common.check(c)
	c.id("about", p.About)
	c.given("at", p.At)
	if p.Lang != "" || p.Detail != "" {
		c.lang("lang", p.Lang)
	}
	c.oneOf("result", p.Result, Results...)
	c.slug("system", p.System)
}

// A Timemark holds a whole cosigned checkpoint of this log: everything before
// that checkpoint existed when its witnesses signed, everything after this
// record is younger.
type Timemark struct {
	Common
	// Checkpoint is the signed note, with its signature lines.
	Checkpoint string `json:"checkpoint"`
}

func (p *Timemark) check(c *checker) {
	p.Common.check(c)
	c.text("checkpoint", p.Checkpoint)
}

// An Export says that a decision was reported to a register elsewhere.
type Export struct {
	Common
	// About is the id of the decision.
	About ID `json:"about"`
	// At is when it was reported.
	At Time `json:"at"`
	// Reference is what the register calls it.
	Reference string `json:"reference,omitempty"`
	// Register is the name of the register, like
	// dsa-transparency-database.
	Register string `json:"register"`
}

func (p *Export) check(c *checker) {
	p.Common.check(c)
	c.id("about", p.About)
	c.given("at", p.At)
	c.slug("register", p.Register)
}

// An Erasure says that disclosures of sealed members were erased. The record
// keeps their digests.
type Erasure struct {
	Common
	// About is the id of the record.
	About ID     `json:"about"`
	Lang  string `json:"lang"`
	// Members are those that can't be read any more.
	Members []string `json:"members"`
	Reasons string   `json:"reasons"`
}

func (p *Erasure) check(c *checker) {
	p.Common.check(c)
	c.id("about", p.About)
	c.lang("lang", p.Lang)
	c.count("members", len(p.Members), 1, 32)
	seen := map[string]bool{}
	for i, m := range p.Members {
		c.text(at("members", i), m)
		c.once(at("members", i), m, seen)
	}
	c.text("reasons", p.Reasons)
}

// Cited returns the ids of the records that a payload rests on, in the order of
// its members: clauses, what is ratified, appealed or ruled on, what a record
// speaks about. Precedents and the act before are not among them.
func Cited(p Payload) []ID {
	var ids []ID
	ground := func(grounds []Ground) {
		for _, g := range grounds {
			ids = append(ids, g.Record)
		}
	}
	switch p := p.(type) {
	case *Notice:
		ground(p.Grounds)
		if p.Decision != "" {
			ids = append(ids, p.Decision)
		}
	case *Decision:
		ground(p.Grounds)
	case *Ratification:
		ids = append(ids, p.Decision)
	case *Appeal:
		ids = append(ids, p.Decision)
	case *Ruling:
		ids = append(ids, p.Appeal)
	case *Erratum:
		ids = append(ids, p.About)
	case *Execution:
		ids = append(ids, p.About)
	case *Export:
		ids = append(ids, p.About)
	case *Erasure:
		ids = append(ids, p.About)
	}
	return ids
}
