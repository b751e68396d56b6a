package web

import (
	"net/http"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// dueOnPage is how many obligations of each kind the page shows; the rest are in the
// list for programs.
const dueOnPage = 200

// A dueView is what is owed, and by when.
type dueView struct {
	Time    record.Time
	Overdue dueList
	Coming  dueList // its time is not over, or not known
}

// A dueList is a table of obligations.
type dueList struct {
	Caption string
	Items   []dueLine
	More    int // that are not shown
}

// A dueLine is an obligation, with the record that it arose from.
type dueLine struct {
	dutyView
	ID record.ID
}

// Due is the list of what is owed: what is overdue first.
func (p *Pages) Due(w http.ResponseWriter, r *http.Request) error {
	due, err := p.ledger.Due(r.Context(), p.now().Unix())
	if err != nil {
		return err
	}
	v := dueView{Time: due.Time, Overdue: dueList{Caption: "Overdue"}, Coming: dueList{Caption: "Owed, and not overdue"}}
	for _, o := range due.Duties {
		list := &v.Coming
		if o.Overdue {
			list = &v.Overdue
		}
		if len(list.Items) == dueOnPage {
			list.More++
			continue
		}
		list.Items = append(list.Items, newDueLine(o))
	}
	return p.render(w, r, http.StatusOK, "due.html", v)
}

func newDueLine(o verify.Owed) dueLine {
	return dueLine{dutyView{o.Duty, upperFirst(telling.Task(o.Kind)), people(record.Quorum{Role: o.Role, Count: o.Count})}, o.ID}
}
