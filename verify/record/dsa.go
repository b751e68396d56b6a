package record

import (
	"regexp"
	"slices"
	"time"
)

// A DSA holds what a statement of reasons for the EU's DSA Transparency Database
// (Regulation (EU) 2022/2065, Articles 17 and 24(5)) needs and the decision does
// not say already, under the names and with the values of that database. The
// rest, such as facts, dates, territory and automation, is derived.
type DSA struct {
	AccountType                  string   `json:"account_type,omitempty"`
	Category                     string   `json:"category"`
	CategoryAddition             []string `json:"category_addition,omitempty"`
	CategorySpecification        []string `json:"category_specification,omitempty"`
	CategorySpecificationOther   string   `json:"category_specification_other,omitempty"`
	ContentDate                  string   `json:"content_date"`
	ContentIDEAN                 string   `json:"content_id_ean,omitempty"`
	ContentLanguage              string   `json:"content_language,omitempty"`
	ContentType                  []string `json:"content_type"`
	ContentTypeOther             string   `json:"content_type_other,omitempty"`
	DecisionAccount              string   `json:"decision_account,omitempty"`
	DecisionGround               string   `json:"decision_ground"`
	DecisionGroundReferenceURL   string   `json:"decision_ground_reference_url,omitempty"`
	DecisionMonetary             string   `json:"decision_monetary,omitempty"`
	DecisionMonetaryOther        string   `json:"decision_monetary_other,omitempty"`
	DecisionProvision            string   `json:"decision_provision,omitempty"`
	DecisionVisibility           []string `json:"decision_visibility,omitempty"`
	DecisionVisibilityOther      string   `json:"decision_visibility_other,omitempty"`
	IllegalContentExplanation    string   `json:"illegal_content_explanation,omitempty"`
	IllegalContentLegalGround    string   `json:"illegal_content_legal_ground,omitempty"`
	IncompatibleContentExplained string   `json:"incompatible_content_explanation,omitempty"`
	IncompatibleContentGround    string   `json:"incompatible_content_ground,omitempty"`
	IncompatibleContentIllegal   string   `json:"incompatible_content_illegal,omitempty"`
}

var (
	eanPattern = regexp.MustCompile(`^[0-9]{13}$`)
	urlPattern = regexp.MustCompile(`^https?://[^\s]+$`)
)

func isDate(s string) bool {
	t, err := time.Parse(time.DateOnly, s)
	return err == nil && t.Format(time.DateOnly) == s
}

func (d *DSA) check(c *checker) {
	d.checkValues(c)
	d.checkOthers(c)
	illegal := d.DecisionGround == dsaGround[0]
	const ill, bad = "dsa/illegal_content_", "dsa/incompatible_content_"
	if illegal {
		c.most(ill+"legal_ground", d.IllegalContentLegalGround, 500)
		if d.IllegalContentLegalGround == "" {
			c.missing(ill+"legal_ground", "the law that the content violates")
		}
	}
	c.most(ill+"explanation", d.IllegalContentExplanation, 2000)
	c.most(bad+"ground", d.IncompatibleContentGround, 500)
	c.most(bad+"explanation", d.IncompatibleContentExplained, 2000)
	c.absent(ill+"legal_ground", !illegal && d.IllegalContentLegalGround != "", d.DecisionGround)
	c.absent(ill+"explanation", !illegal && d.IllegalContentExplanation != "", d.DecisionGround)
	c.absent(bad+"ground", illegal && d.IncompatibleContentGround != "", d.DecisionGround)
	c.absent(bad+"explanation", illegal && d.IncompatibleContentExplained != "", d.DecisionGround)
	c.absent(bad+"illegal", illegal && d.IncompatibleContentIllegal != "", d.DecisionGround)
}

// checkValues looks at members that have a fixed set of values, or a form.
func (d *DSA) checkValues(c *checker) {
	one := func(member, value string, required bool, values ...string) {
		if required || value != "" {
			c.oneOf("dsa/"+member, value, values...)
		}
	}
	many := func(member string, got []string, least int, values []string) {
		m := "dsa/" + member
		c.count(m, len(got), least, len(values))
		seen := map[string]bool{}
		for i, v := range got {
			c.oneOf(at(m, i), v, values...)
			c.once(at(m, i), v, seen)
		}
	}
	one("account_type", d.AccountType, false, dsaAccountType...)
	one("category", d.Category, true, dsaCategory...)
	many("category_addition", d.CategoryAddition, 0, dsaCategory)
	many("category_specification", d.CategorySpecification, 0, dsaKeyword)
	c.form("dsa/content_date", d.ContentDate, isDate, "a date like 2026-11-23")
	if d.ContentIDEAN != "" {
		c.form("dsa/content_id_ean", d.ContentIDEAN, eanPattern.MatchString, "13 digits")
	}
	if d.ContentLanguage != "" {
		c.form("dsa/content_language", d.ContentLanguage, isDSALanguage, "an ISO 639-1 code in capitals, like EN")
	}
	many("content_type", d.ContentType, 1, dsaContentType)
	one("decision_account", d.DecisionAccount, false, dsaAccount...)
	one("decision_ground", d.DecisionGround, true, dsaGround...)
	if u := d.DecisionGroundReferenceURL; u != "" {
		c.form("dsa/decision_ground_reference_url", u, func(s string) bool { return len(s) <= 500 && urlPattern.MatchString(s) },
			"an http or https URL of at most 500 characters")
	}
	one("decision_monetary", d.DecisionMonetary, false, dsaMonetary...)
	one("decision_provision", d.DecisionProvision, false, dsaProvision...)
	many("decision_visibility", d.DecisionVisibility, 0, dsaVisibility)
	one("incompatible_content_illegal", d.IncompatibleContentIllegal, false, "Yes", "No")
}

// checkOthers looks at the texts that go with a value OTHER, and with it alone.
func (d *DSA) checkOthers(c *checker) {
	other := func(member, text, value string, values ...string) {
		of := "dsa/" + member
		m := of + "_other"
		switch chosen := slices.Contains(values, value); {
		case chosen && text == "":
			c.missing(m, "a text, with "+value)
		case !chosen && text != "":
			c.wrong(of, "no "+value+" beside "+m, value+", or that left out")
		}
		c.most(m, text, 500)
	}
	other("category_specification", d.CategorySpecificationOther, "KEYWORD_OTHER", d.CategorySpecification...)
	other("content_type", d.ContentTypeOther, "CONTENT_TYPE_OTHER", d.ContentType...)
	other("decision_monetary", d.DecisionMonetaryOther, "DECISION_MONETARY_OTHER", d.DecisionMonetary)
	other("decision_visibility", d.DecisionVisibilityOther, "DECISION_VISIBILITY_OTHER", d.DecisionVisibility...)
}
