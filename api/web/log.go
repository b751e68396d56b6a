package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
)

// monthsShown is how many months of growth the page of the log shows.
const monthsShown = 24

// A logView is the log itself.
type logView struct {
	Info      ledger.Info
	Lag       index.Lag
	Served    string // the checkpoint as clients get it
	Witnessed string // the newest that enough witnesses cosigned, "" if there is none
	Names     []string
	Witnesses []witnessLine
	// Beat is when a witness cosigned last, by its own clock; 0 if none did.
	Beat   record.Time
	Months []monthLine
	URL    string
}

// A witnessLine is a witness, and how far behind it is.
type witnessLine struct {
	ledger.Witness
	State  mark
	Behind int64
}

// A monthLine is a month, and how many records say that they are of it.
type monthLine struct {
	Text  string
	Count int64
	Href  string
}

// Log is the page of the log: its size, growth, witnesses, and how to copy it.
func (p *Pages) Log(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	s, err := p.site(ctx, r)
	if err != nil {
		return err
	}
	terms, err := p.ledger.Terms(ctx)
	if err != nil {
		return err
	}
	v := logView{Info: s.Info, Lag: s.Lag, Served: string(s.Info.Served), Witnessed: string(s.Info.Witnessed), Names: terms.Witnesses, URL: s.URL}
	for _, one := range s.Info.Witnesses {
		v.Witnesses = append(v.Witnesses, newWitnessLine(one, s.Info.Size))
		v.Beat = max(v.Beat, record.Time(one.At))
	}
	counts, err := p.index.Count(ctx, index.Query{}, 12*400, index.Month)
	if err != nil {
		return err
	}
	slices.SortFunc(counts.Rows, func(a, b index.Count) int { return strings.Compare(b.Values[0], a.Values[0]) })
	for _, row := range counts.Rows[:min(len(counts.Rows), monthsShown)] {
		v.Months = append(v.Months, monthLine{monthText(row.Values[0]), row.Count, searchURL(index.Query{}, index.Month, row.Values[0])})
	}
	return p.renderOn(w, r, http.StatusOK, "log.html", s, v)
}

func newWitnessLine(one ledger.Witness, size int64) witnessLine {
	l := witnessLine{Witness: one, State: mark{"ok", "follows"}, Behind: max(0, size-one.Size)}
	switch {
	case one.Faulty:
		l.State = mark{"void", "not honest"}
	case one.Error != "":
		l.State = mark{"warn", "can't be reached"}
	case one.At == 0:
		l.State = mark{"", "not asked yet"}
	case l.Behind > 0:
		l.State = mark{"warn", "behind"}
	}
	return l
}
