package api_test

import (
	"context"
	"testing"
	"time"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// TestDue: what is owed now, and what will be overdue later; the client reads
// what the server says.
func TestDue(t *testing.T) {
	s := newSite(t)
	d := s.Decision("due-1")
	d.ServiceLayer, d.Action = "security", record.Restrict
	d.Grounds[0].Clause = "security"
	d.Emergency = &record.Harm{Harm: "threat-to-life"}
	out := s.Submit(s.Sign(d, "dora"))
	due, err := s.client.Due(context.Background(), 0)
	if err != nil || due.Size != out.Index+1 || len(due.Duties) != 2 {
		t.Fatalf("%+v, %v; want to notify and to ratify", due, err)
	}
	for _, o := range due.Duties {
		if o.ID != out.ID || o.Case != "due-1" || o.Overdue {
			t.Errorf("%+v", o)
		}
	}
	due, err = s.client.Due(context.Background(), s.Time(73*time.Hour))
	if err != nil || len(due.Duties) != 1 || due.Duties[0].Kind != rules.DutyUndo || !due.Duties[0].Overdue {
		t.Errorf("%+v, %v; want it lapsed", due, err)
	}
}
