package api_test

import (
	"fmt"
	"io/fs"
	"sync"
	"testing"

	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
)

// TestManyClients: 64 at once; every receipt holds, and each record has an index
// of its own.
func TestManyClients(t *testing.T) {
	s := newSite(t)
	policy := s.policy(t)
	const clients, each = 64, 3
	var mu sync.Mutex
	var wg sync.WaitGroup
	indexes := map[int64]bool{}
	for i := range clients {
		wg.Go(func() {
			for j := range each {
				rec := s.Sign(s.Decision(fmt.Sprintf("case-%d-%d", i, j)), "dora", "erik")
				res, body := s.post(t, string(rec))
				r, err := verify.ParseReceipt([]byte(body))
				if err == nil {
					_, err = r.Check(policy, rec)
				}
				mu.Lock()
				if err != nil || res.StatusCode != 201 || indexes[r.Index] {
					t.Errorf("client %d: status %d, index %d, %v: %.300q", i, res.StatusCode, r.Index, err, body)
				}
				indexes[r.Index] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(indexes) != clients*each {
		t.Errorf("%d different indexes, want %d", len(indexes), clients*each)
	}
}

// TestBusyAndStopping: with room for one record, some of many at once are told
// to come again and nothing of theirs is logged; after Close everyone is.
func TestBusyAndStopping(t *testing.T) {
	s := &site{World: ledgertest.New(t, nil)}
	s.Config.QueueSize = 1
	s.Reopen()
	s.url, s.log = serve(t, s.Ledger)
	before := s.Seen().Size
	var mu sync.Mutex
	var wg sync.WaitGroup
	statuses := map[int]int64{}
	for i := range 32 {
		rec := s.Sign(s.Decision(fmt.Sprintf("case-%02d", i)), "dora", "erik")
		wg.Go(func() {
			res, body := s.post(t, string(rec))
			mu.Lock()
			defer mu.Unlock()
			statuses[res.StatusCode]++
			if res.StatusCode != 201 {
				wantProblem(t, "busy", res, body, 503, problem.Busy)
			}
		})
	}
	wg.Wait()
	if size := s.Seen().Size; statuses[503] == 0 || size != before+statuses[201] {
		t.Errorf("statuses %v, size %d to %d", statuses, before, size)
	}
	late := s.Sign(s.Decision("case-late"), "dora", "erik")
	size := s.Seen().Size
	if err := s.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	res, body := s.post(t, string(late))
	wantProblem(t, "stopping", res, body, 503, problem.Stopping)
	if got := s.Seen().Size; got != size {
		t.Errorf("the log has %d records, had %d", got, size)
	}
	s.CloseParts()
	s.Ledger = nil
}

// TestOurFile: a file of the server that is missing is its fault, and nobody
// else's business.
func TestOurFile(t *testing.T) {
	url, log := serve(t, broken{fmt.Errorf("read: %w", &fs.PathError{Op: "open", Path: "secret", Err: fs.ErrNotExist})})
	res, body := do(t, "GET", url+"/checkpoint", nil)
	wantProblem(t, "missing file", res, body, 500, problem.Internal)
	if got := log.String(); len(got) == 0 {
		t.Error("nothing in the log")
	}
}

// TestOtherSites: pages of other sites may read.
func TestOtherSites(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/checkpoint", "/v1/log", "/tile/0/000.p/6", "/v1/records/d-x"} {
		if res, _ := do(t, "GET", s.url+path, nil); res.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("GET %s: %v", path, res.Header)
		}
	}
}

// TestBadChunks: a body that is not chunked as it says is the client's fault.
func TestBadChunks(t *testing.T) {
	s := newSite(t)
	const header = "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose+json\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, body := range []string{"zz\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "fffffffffffffffff\r\n"} {
		res, text := raw(t, s.url, header+body)
		wantProblem(t, body, res, text, 400, problem.Incomplete)
	}
}
