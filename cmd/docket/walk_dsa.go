package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docket-ledger/docket/verify/record"
)

// dsaQuestions are for what a statement of reasons in the EU's DSA Transparency
// Database needs beside the rest. The first says whether there is to be one. What is
// seldom needed (money, keywords, language, a URL) is for a sheet: docket decide
// --example has all of it.
var dsaQuestions = []question{
	{member: "dsa/category", prompt: "For the EU's DSA Transparency Database: what the matter is about",
		about:   constant("Only if this is to be reported there (a statement of reasons, Article 17). Nothing leaves all of that out."),
		applies: (*walk).statement, choices: dsaValues("category"), optional: always},
	{member: "dsa/content_type", prompt: "What the content is: one or several",
		applies: (*walk).reported, choices: dsaValues("content_type"), several: true},
	{member: "dsa/content_type_other", prompt: "What other content it is, in words",
		applies: chose("dsa/content_type", "CONTENT_TYPE_OTHER")},
	{member: "dsa/content_date", prompt: "The day on which the content appeared, like 2026-11-23", applies: (*walk).reported},
	{member: "dsa/decision_ground", prompt: "What it violates: a law, or your terms",
		applies: (*walk).reported, choices: dsaValues("decision_ground")},
	{member: "dsa/illegal_content_legal_ground", prompt: "The law that it violates", applies: chose("dsa/decision_ground", dsaIllegal)},
	{member: "dsa/illegal_content_explanation", prompt: "Why it violates that law, in a sentence or two", applies: chose("dsa/decision_ground", dsaIllegal)},
	{member: "dsa/incompatible_content_ground", prompt: "The clause of your terms that it violates", applies: chose("dsa/decision_ground", dsaIncompatible), fallback: firstClause},
	{member: "dsa/incompatible_content_explanation", prompt: "Why it violates that clause, in a sentence or two", applies: chose("dsa/decision_ground", dsaIncompatible)},
	{member: "dsa/incompatible_content_illegal", prompt: "Whether it is illegal, too", applies: chose("dsa/decision_ground", dsaIncompatible),
		choices: func(*walk) []string { return []string{"Yes", "No"} }, optional: always},
	{member: "dsa/decision_visibility", prompt: "What is done to the content: one or several",
		applies: (*walk).reported, choices: dsaValues("decision_visibility"), several: true, optional: always},
	{member: "dsa/decision_visibility_other", prompt: "What else is done to the content, in words",
		applies: chose("dsa/decision_visibility", "DECISION_VISIBILITY_OTHER")},
	{member: "dsa/decision_provision", prompt: "What is done to the service",
		applies: (*walk).reported, choices: dsaValues("decision_provision"), optional: always},
	{member: "dsa/decision_account", prompt: "What is done to the account", applies: (*walk).reported, choices: dsaValues("decision_account"),
		optional: func(w *walk) bool {
			return get(w.value, "dsa/decision_visibility") != nil || get(w.value, "dsa/decision_provision") != nil
		}},
}

const (
	dsaIllegal      = "DECISION_GROUND_ILLEGAL_CONTENT"
	dsaIncompatible = "DECISION_GROUND_INCOMPATIBLE_CONTENT"
)

// statement reports whether the decision is one of which Article 17 demands a statement
// of reasons: a restriction by a hosting service.
func (w *walk) statement() bool { return getText(w.value, "service_layer") == "hosting" && w.measure() }

// reported reports whether it is to be reported to the database.
func (w *walk) reported() bool { return getText(w.value, "dsa/category") != "" }

func dsaValues(member string) func(*walk) []string {
	return func(*walk) []string { return record.DSAValues[member] }
}

// chose says that a value was chosen for a member, alone or among others.
func chose(member, value string) func(*walk) bool {
	return func(w *walk) bool {
		list, _ := get(w.value, member).([]any)
		return getText(w.value, member) == value || slices.Contains(list, any(value))
	}
}

// firstClause names the clause that a decision rests on.
func firstClause(w *walk) string {
	if len(w.chosen) == 0 {
		return ""
	}
	g := w.chosen[0].ground
	return fmt.Sprintf("%s, version %d, clause %s", g.Policy, g.Version, g.Clause)
}

// chooseSome returns the choices that an answer names, by numbers or words.
func chooseSome(answer string, choices []string) (any, error) {
	var all []any
	for word := range strings.FieldsFuncSeq(answer, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
		one, err := choose(word, choices)
		if err != nil {
			return nil, err
		}
		if slices.Contains(all, any(one)) {
			return nil, wrong(one + " is named twice")
		}
		all = append(all, one)
	}
	if all == nil {
		return nil, wrong("none is named")
	}
	return all, nil
}

// completeDSA adds what is still to be asked for to answers about the database, as
// check needs it.
func completeDSA(all map[string]any) {
	if all["dsa"] == nil {
		return
	}
	dsa, ok := all["dsa"].(map[string]any)
	if !ok {
		return // it is wrong, and found
	}
	for member, v := range map[string]any{"category": "STATEMENT_CATEGORY_VIOLENCE", "content_date": "2026-11-23",
		"content_type": []any{"CONTENT_TYPE_TEXT"}, "decision_ground": dsaIncompatible} {
		if dsa[member] == nil {
			dsa[member] = v
		}
	}
	w := &walk{value: all}
	for member, needed := range map[string]bool{
		"illegal_content_legal_ground": chose("dsa/decision_ground", dsaIllegal)(w),
		"content_type_other":           chose("dsa/content_type", "CONTENT_TYPE_OTHER")(w),
		"decision_visibility_other":    chose("dsa/decision_visibility", "DECISION_VISIBILITY_OTHER")(w),
		"decision_monetary_other":      chose("dsa/decision_monetary", "DECISION_MONETARY_OTHER")(w),
		"category_specification_other": chose("dsa/category_specification", "KEYWORD_OTHER")(w),
	} {
		if needed && dsa[member] == nil {
			dsa[member] = "x"
		}
	}
}
