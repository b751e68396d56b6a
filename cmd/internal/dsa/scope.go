package dsa

import (
	"fmt"
	"slices"
	"time"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A Reason is why there is no statement about a record.
type Reason struct {
	// Code stays the same from version to version.
	Code string
	Text string
}

// The codes of reasons; docs/dsa.md lists them.
const (
	Void       = "void"
	NoMeasure  = "no_restriction"
	Appealed   = "appeal"
	Ruled      = "ruling"
	NotHosting = "not_hosting"
	TooEarly   = "before_dsa"
	Ordered    = "order"
	Outside    = "outside_eea"
	NotMarked  = "not_marked"
	Reported   = "already_reported"
)

// Codes lists them in the order in which they are looked at: the first that applies is
// the one that is told.
var Codes = []string{Void, Appealed, Ruled, NoMeasure, NotHosting, TooEarly, Ordered, Outside, NotMarked, Reported}

// since is the first day on which the Regulation bound anybody: the first very large
// platforms, four months after they were designated (Article 92). All others followed
// on 17 February 2024.
var since = record.Time(time.Date(2023, 8, 25, 0, 0, 0, 0, time.UTC).Unix())

// EEA are the countries that the database knows.
var EEA = []string{"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI",
	"LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"}

// whyNot has a sentence for each action that restricts nothing.
var whyNot = map[record.Action]string{
	record.Warn:      "A warning restricts nothing, and Article 17(1) asks for a statement of reasons for restrictions.",
	record.Decline:   "It was decided to do nothing, and Article 17(1) asks for a statement of reasons for restrictions.",
	record.Forward:   "The matter was passed on to somebody else, and nothing was restricted (Article 17(1)).",
	record.Reinstate: "A restriction was taken back, and none was imposed (Article 17(1)). The database has no way to withdraw a statement.",
}

// layers says what the services are that do not store what their users provide.
var layers = map[record.ServiceLayer]string{
	"cdn_proxy": "passes content on and caches it (Articles 4 and 5)",
	"security":  "passes traffic on and filters it",
	"dns":       "resolves names (Article 4)",
	"registrar": "registers names (Article 4)",
	"other":     "is not recorded as hosting",
}

// scope returns why a record has no statement, or nil if it is a decision that has one.
func scope(p record.Payload, void []rules.Code, known Known) *Reason {
	switch {
	case len(void) > 0:
		return &Reason{Void, fmt.Sprintf("The record is void (%s): it is no decision. %s", void[0], rules.Explain(void[0]))}
	case p.Head().Type == record.TypeAppeal:
		return &Reason{Appealed, "A complaint about a decision (Article 20) has no statement of reasons."}
	case p.Head().Type == record.TypeRuling:
		return &Reason{Ruled, "A ruling on a complaint (Article 20) imposes no restriction: it upholds one, ends one or makes one milder."}
	}
	d := p.(*record.Decision)
	switch {
	case !slices.Contains(rules.Measures, d.Action):
		return &Reason{NoMeasure, whyNot[d.Action]}
	case d.ServiceLayer != "hosting":
		return &Reason{NotHosting, "Article 17 binds hosting services. This is an action of a service that " + layers[d.ServiceLayer] + "."}
	case d.EffectiveAt < since:
		return &Reason{TooEarly, "The restriction began before 25 August 2023: the Regulation bound nobody yet."}
	case byOrder(d) && !(d.DSA != nil && d.DSA.DecisionGround == incompatible):
		return &Reason{Ordered, "An authority or a court ordered it, and its signers do not say that it rests on the provider's own terms: Article 17 does not apply to orders under Article 9 (Article 17(5))."}
	case len(d.Territory) > 0 && len(territory(d)) == 0:
		return &Reason{Outside, "It has effect outside the EU and the EEA only; the database knows no other countries."}
	case d.DSA == nil:
		return &Reason{NotMarked, "Its signers gave nothing for the database (no member dsa), so it was not meant to be reported there. " +
			"If the service is an online platform (Article 24(5)), submit it by hand: docs/dsa.md says how."}
	case known.Export >= 0:
		return &Reason{Reported, fmt.Sprintf("Record %d says that it was reported. The database takes each puid once, and no changes.", known.Export)}
	}
	return nil
}

func byOrder(d *record.Decision) bool {
	return d.Trigger.Kind == "authority_order" || d.Trigger.Kind == "court_order"
}
