package web

import (
	"context"
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
	Size    int64 // of the log
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
	ctx := context.WithoutCancel(r.Context()) // it is made anew after the page has been sent
	v, after, err := p.due.get(func() (dueView, error) { return p.dueNow(ctx) })
	if err == nil {
		err = p.render(w, r, http.StatusOK, "due.html", v)
	}
	if err != nil || after == nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return err
	}
	return after()
}

func (p *Pages) dueNow(ctx context.Context) (dueView, error) {
	due, err := p.ledger.Due(ctx, p.now().Unix())
	if err != nil {
		return dueView{}, err
	}
	v := dueView{Size: due.Size, Time: due.Time, Overdue: dueList{Caption: "Overdue"}, Coming: dueList{Caption: "Owed, and not overdue"}}
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
	return v, nil
}

func newDueLine(o verify.Owed) dueLine {
	return dueLine{dutyView{o.Duty, upperFirst(telling.Task(o.Kind)), people(record.Quorum{Role: o.Role, Count: o.Count})}, o.ID}
}
