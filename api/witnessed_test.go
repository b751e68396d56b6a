package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// witnessedSite serves a ledger whose witnesses cosign when they are told to.
func witnessedSite(t *testing.T) (*ledgertest.World, string) {
	t.Helper()
	w := ledgertest.NewWitnessed(t, func(c *ledger.Config) { c.Machine = nil })
	url, _ := serveWith(t, w.Ledger, api.Options{Now: w.Now})
	return w, url
}

func enrolment(w *ledgertest.World, name string) []byte {
	return w.Sign(&record.KeyEnrol{Holder: name, JWK: ledgertest.JWK(name), Roles: []record.Role{record.RoleDecider}}, "ada", "ben", name)
}

// underWitnesses reports whether a receipt of a record holds under the policy
// with witnesses.
func underWitnesses(t *testing.T, w *ledgertest.World, receipt string, rec []byte) bool {
	t.Helper()
	p, err := verify.ParsePolicy(w.WitnessPolicy())
	if err != nil {
		t.Fatal(err)
	}
	r, err := verify.ParseReceipt([]byte(receipt))
	if err != nil {
		t.Fatalf("%v: %q", err, receipt)
	}
	if r.Extra != nil {
		rec = nil
	}
	_, err = r.Check(p, rec)
	return err == nil
}

// TestWaitWitnessed: who waits for the witnesses gets what they cosigned, or hears
// in time that it is not there, and that the record is.
func TestWaitWitnessed(t *testing.T) {
	w, url := witnessedSite(t)
	b := enrolment(w, "gil")
	start := time.Now()
	res, receipt := do(t, "POST", url+"/v1/records?wait=witnessed&deadline=1", bytes.NewReader(b), "Content-Type", "application/jose+json")
	if res.StatusCode != 201 || res.Header.Get("Docket-Witnessed") != "no" || underWitnesses(t, w, receipt, b) || time.Since(start) < time.Second {
		t.Errorf("nobody cosigns: %d, Docket-Witnessed %q after %v", res.StatusCode, res.Header.Get("Docket-Witnessed"), time.Since(start))
	}
	id := res.Header.Get("Docket-Id")
	res, body := do(t, "GET", url+"/v1/records/"+id+"/receipt?wait=witnessed&deadline=1", nil)
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(body, `"witness.pending"`) {
		t.Errorf("the receipt that nobody cosigns: %d %s", res.StatusCode, body)
	}
	res, receipt = do(t, "GET", url+"/v1/records/"+id+"/receipt", nil)
	if res.StatusCode != 200 || underWitnesses(t, w, receipt, b) {
		t.Errorf("the plain receipt: %d", res.StatusCode)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if i%2 == 0 {
				res, receipt := do(t, "GET", url+"/v1/records/"+id+"/receipt?wait=witnessed&deadline=30", nil)
				if res.StatusCode != 200 || res.Header.Get("Docket-Witnessed") != "yes" || !underWitnesses(t, w, receipt, b) {
					t.Errorf("the upgraded receipt: %d %s", res.StatusCode, receipt)
				}
				return
			}
			res, body := do(t, "POST", url+"/v1/records?wait=witnessed&deadline=30", bytes.NewReader(b), "Content-Type", "application/jose+json", "Accept", "application/json")
			var s client.Submitted
			if err := json.Unmarshal([]byte(body), &s); err != nil || res.StatusCode != 200 || !s.Witnessed || !underWitnesses(t, w, s.Receipt, b) {
				t.Errorf("the same record again: %d %s %v", res.StatusCode, body, err)
			}
		})
	}
	time.Sleep(20 * time.Millisecond) // it holds whether the requests were there before or not
	w.Cosign("w1 w2")
	wg.Wait()
	for _, query := range []string{"wait=witnessed&deadline=0", "wait=witnessed&deadline=61", "wait=witnessed&deadline=x", "wait=all", "deadline=5", "wait=witnessed&wait=witnessed"} {
		for _, method := range []string{"GET", "POST"} {
			target, reader := url+"/v1/records/"+id+"/receipt?", bytes.NewReader(nil)
			if method == "POST" {
				target, reader = url+"/v1/records?", bytes.NewReader(enrolment(w, "never"))
			}
			if res, body := do(t, method, target+query, reader, "Content-Type", "application/jose+json"); res.StatusCode != 400 || !strings.Contains(body, "request.query") {
				t.Errorf("%s %s: %d %s", method, query, res.StatusCode, body)
			}
		}
	}
}

// TestWaitWithout: where no witnesses are asked nobody waits, and nothing is
// recorded for who wanted to.
func TestWaitWithout(t *testing.T) {
	s := newSite(t)
	before := s.Ledger.Head().Checkpoint.Size
	b := s.Sign(s.Decision("case-1"), "dora", "erik")
	for _, path := range []string{"/v1/records?wait=witnessed", "/v1/records/" + string(s.Policy) + "/receipt?wait=witnessed"} {
		method := "POST"
		if strings.Contains(path, "receipt") {
			method = "GET"
		}
		if res, body := do(t, method, s.url+path, bytes.NewReader(b), "Content-Type", "application/jose+json"); res.StatusCode != 409 || !strings.Contains(body, `"witness.none"`) {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	if after := s.Ledger.Head().Checkpoint.Size; after != before {
		t.Errorf("the log grew from %d to %d", before, after)
	}
	if res, _ := do(t, "GET", s.url+"/v1/checkpoints?covers=0", nil); res.StatusCode != 404 {
		t.Errorf("checkpoints: %d", res.StatusCode)
	}
	if i, err := s.client.Info(t.Context()); err != nil || i.Serves != client.ServesSigned || i.NoTimemarks != "" {
		t.Errorf("info: %+v, %v", i, err)
	}
}

// TestWaitStops: the end of the site lets all go who wait.
func TestWaitStops(t *testing.T) {
	w := ledgertest.NewWitnessed(t, func(c *ledger.Config) { c.Machine = nil })
	site := api.NewSite(w.Ledger, api.Options{Now: w.Now})
	server := httptest.NewServer(site.Handler(api.Everything))
	defer server.Close()
	b := enrolment(w, "gil")
	out := w.Submit(b)
	answers := make(chan string, 8)
	var entered sync.WaitGroup
	for i := range cap(answers) {
		entered.Add(1)
		go func() {
			entered.Done()
			if i%2 == 0 {
				res, _ := do(t, "POST", server.URL+"/v1/records?wait=witnessed&deadline=60", bytes.NewReader(b), "Content-Type", "application/jose+json")
				answers <- fmt.Sprint(res.StatusCode, " ", res.Header.Get("Docket-Witnessed"))
				return
			}
			res, body := do(t, "GET", server.URL+"/v1/records/"+string(out.ID)+"/receipt?wait=witnessed&deadline=60", nil)
			answers <- fmt.Sprint(res.StatusCode, " ", strings.Contains(body, "ledger.stopping"))
		}()
	}
	entered.Wait()
	time.Sleep(100 * time.Millisecond)
	site.Stop()
	for range cap(answers) {
		select {
		case got := <-answers:
			if got != "200 no" && got != "503 true" {
				t.Errorf("answered %s", got)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("somebody still waits")
		}
	}
}

// TestWitnessPages: what the ledger says of its heads, its witnesses and what it
// has kept.
func TestWitnessPages(t *testing.T) {
	w, url := witnessedSite(t)
	c, err := client.New(url)
	if err != nil {
		t.Fatal(err)
	}
	i, err := c.Info(t.Context())
	if err != nil || i.Serves != client.ServesStart || i.Witnessed != "" || i.Time != 0 || !strings.Contains(i.NoTimemarks, "machine key") {
		t.Errorf("info at the start: %+v, %v", i, err)
	}
	head := w.Cosign("w1 w2")
	w.Advance(90 * time.Second)
	w.Submit(enrolment(w, "gil"))
	w.Ledger.SetWitnesses(func() []ledger.Witness {
		return []ledger.Witness{{Name: "w1", URL: "https://w1.test.example/", Size: head.Checkpoint.Size + 1, At: w.Now().Unix()},
			{Name: "w2", Size: head.Checkpoint.Size, At: w.Now().Unix() - 90, Error: "timeout", ErrorAt: w.Now().Unix()},
			{Name: "w3", Error: "cosigned another head", ErrorAt: w.Now().Unix(), Faulty: true}}
	})
	if i, err = c.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	if i.Serves != client.ServesWitnessed || i.WitnessedSize != head.Checkpoint.Size || i.Size != head.Checkpoint.Size+1 ||
		!strings.HasPrefix(i.Witnessed, head.Checkpoint.Text()) || strings.HasPrefix(i.Checkpoint, head.Checkpoint.Text()) {
		t.Errorf("both heads: %+v", i)
	}
	now := record.Time(w.Now().Unix())
	want := []client.Witness{{Name: "w1", URL: "https://w1.test.example/", Size: i.Size, At: now},
		{Name: "w2", Size: head.Checkpoint.Size, At: now - 90, Behind: 1, BehindSeconds: 90, Error: "timeout", ErrorAt: now},
		{Name: "w3", Behind: i.Size, Error: "cosigned another head", ErrorAt: now, Faulty: true}}
	if fmt.Sprint(i.Witnesses) != fmt.Sprint(want) {
		t.Errorf("witnesses %+v\n     want %+v", i.Witnesses, want)
	}
	served, err := w.Ledger.ReadFile(t.Context(), "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/checkpoints?covers=0", fmt.Sprintf("/v1/checkpoints?covers=%d", head.Checkpoint.Size-1), "/checkpoint"} {
		res, body := do(t, http.MethodGet, url+path, nil)
		if res.StatusCode != 200 || body != string(served) || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") || res.Header.Get("ETag") == "" {
			t.Errorf("%s: %d %q", path, res.StatusCode, body)
		}
	}
	for query, status := range map[string]int{fmt.Sprintf("?covers=%d", head.Checkpoint.Size): 404, "?covers=9007199254740991": 404,
		"?covers=-1": 400, "?covers=01": 400, "?covers=x": 400, "": 400, "?covers=1&covers=2": 400, "?covers=99999999999999999999": 400} {
		if res, body := do(t, "GET", url+"/v1/checkpoints"+query, nil); res.StatusCode != status {
			t.Errorf("checkpoints%s: %d %s, want %d", query, res.StatusCode, body, status)
		}
	}
}
