package stats

import (
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Figures are the numbers of a log. Every list is sorted by its names, so that
// the same log gives the same bytes. All numbers are counts or whole seconds:
// shares are left to readers, and no rounding can make two programs differ.
type Figures struct {
	// Size is how many records were read, from the first on; Effective, Void and
	// all that follows are of the period that is counted, or of all.
	Size      int64 `json:"size"`
	Effective int64 `json:"effective"`
	Void      int64 `json:"void"`
	// VoidDecisions are those of Void that would have been decisions.
	VoidDecisions int64 `json:"void_decisions"`
	// Codes are the reasons for which records are void; one may have several.
	Codes []Count `json:"codes"`
	// Months are the effective decisions over time.
	Months []Month `json:"months"`
	// All is over all decisions, each counted once.
	All Clause `json:"all"`
	// Clauses are the same for each clause and layer: like cases. A decision
	// that cites several clauses counts under each of them.
	Clauses []Clause `json:"clauses"`
	// Deciders is about the people who decide, never about one of them.
	Deciders Deciders `json:"deciders"`
}

// A Count is how often something named occurs.
type Count struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// A Month is how many decisions of one kind were signed in a month.
type Month struct {
	Month         string              `json:"month"` // 2006-01, UTC
	Layer         record.ServiceLayer `json:"layer"`
	Action        record.Action       `json:"action"`
	Retrospective bool                `json:"retrospective"`
	Count         int64               `json:"count"`
}

// A Clause is how one clause is used on one service layer; Policy and Clause are
// empty for decisions that rest on no clause, and all three for all decisions.
// Everything but Retrospective leaves retrospective decisions out.
type Clause struct {
	Policy string              `json:"policy"`
	Clause string              `json:"clause"`
	Layer  record.ServiceLayer `json:"layer"`
	// Decisions are the effective ones, Retrospective those that were
	// recorded after they were taken.
	Decisions     int64 `json:"decisions"`
	Retrospective int64 `json:"retrospective"`
	// Acted is how many terminate, suspend, restrict or warn; Declined how
	// many decline.
	Acted    int64 `json:"acted"`
	Declined int64 `json:"declined"`
	// Outcomes are the decisions by action.
	Outcomes []Count `json:"outcomes"`
	// Spread is how differently the decisions ended.
	Spread Pairs `json:"spread"`
	// Triggers are the decisions by what made the provider decide; ByOrder is
	// how many of them an authority or a court ordered.
	Triggers []Count `json:"triggers"`
	ByOrder  int64   `json:"by_order"`
	// Emergencies are ratified in time, or only too late, or not (yet).
	Emergencies int64 `json:"emergencies"`
	Ratified    int64 `json:"ratified"`
	TooLate     int64 `json:"too_late"`
	Unratified  int64 `json:"unratified"`
	// Appealed is how many decisions somebody complained about; the rulings
	// are counted by what came of it.
	Appealed int64 `json:"appealed"`
	Upheld   int64 `json:"upheld"`
	Reversed int64 `json:"reversed"`
	Modified int64 `json:"modified"`
	// How long it took, from signature to signature.
	NoticeToDecision Median `json:"notice_to_decision"`
	DecisionToAppeal Median `json:"decision_to_appeal"`
	AppealToRuling   Median `json:"appeal_to_ruling"`
}

// Pairs are all pairs of two decisions, and how many of them ended differently.
type Pairs struct {
	Pairs     int64 `json:"pairs"`
	Differing int64 `json:"differing"`
}

// A Median is the middle of Count times in seconds: the lower of the two middle
// ones if Count is even, 0 if it is 0. It is negative where the signers' clocks
// or claims run the other way.
type Median struct {
	Count   int64 `json:"count"`
	Seconds int64 `json:"seconds"`
}

// MinDeciders is how many deciders there must be before anything is said of
// how they decide: of one or two, it would be said of them by name.
const MinDeciders = 3

// Deciders is about those who signed effective decisions that are not
// retrospective, as holders, whatever the number of their keys.
type Deciders struct {
	Count int64 `json:"count"`
	// Suppressed says that there are some, but fewer than MinDeciders, and
	// what follows is therefore left at 0.
	Suppressed bool `json:"suppressed"`
	// Busiest is how many decisions the one signed who signed most.
	Busiest int64 `json:"busiest"`
	// Agreement is over pairs of like cases that different signers decided.
	Agreement Pairs `json:"agreement"`
}

// Overdue returns how many of the duties are overdue, by kind. They come from
// rules.Duties, which says as of when.
func Overdue(duties []rules.Duty) []Count {
	n := map[string]int64{}
	for _, d := range duties {
		if d.Overdue {
			n[d.Kind]++
		}
	}
	return counts(n)
}
