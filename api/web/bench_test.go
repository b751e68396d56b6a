package web_test

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

var records = flag.Int("records", 2000, "`number` of records in the ledger of the benchmarks")

// BenchmarkPages makes each kind of page of a varied ledger. A page of a record makes and
// checks its receipt, signatures included.
func BenchmarkPages(b *testing.B) {
	w := ledgertest.NewVaried(b, *records)
	x := newIndex(b, w)
	handler := api.New(w.Ledger, api.Options{Index: x, Now: w.Now})
	first := func(query string) index.Hit {
		values, _ := url.ParseQuery(query)
		q, p, err := index.ParseQuery(values)
		if err != nil {
			b.Fatal(err)
		}
		found, err := x.Search(b.Context(), q, p)
		if err != nil || len(found.Items) == 0 {
			b.Fatalf("%s: nothing found, %v", query, err)
		}
		return found.Items[0]
	}
	counts, err := x.Count(b.Context(), index.Query{}, 1, index.Case)
	if err != nil {
		b.Fatal(err)
	}
	longest := counts.Rows[0].Values[0]
	decided, ruled := first("type=decision&standing=effective").ID, first("type=ruling").ID
	for _, page := range []struct{ name, path string }{
		{"home", "/"},
		{"search for nothing", "/search"},
		{"search by field", "/search?type=decision&action=suspend"},
		{"search for a frequent word", "/search?q=the"},
		{"search for words in a field", "/search?q=the+of&type=decision&layer=dns"},
		{"search for a phrase", "/search?q=%22of+the%22"},
		{"search for a phrase of three", "/search?q=%22of+the+and%22"},
		{"search in a time, 100", "/search?from=2026-12-01&until=2027-02-01&limit=100"},
		{"search, almost a case", "/search?q=" + longest[:len(longest)-1] + "x"},
		{"decision", "/records/" + string(decided)},
		{"ruling", "/records/" + string(ruled)},
		{"void record", "/records/" + string(first("standing=void").ID)},
		{"case of most records", "/cases/" + longest},
		{"case of a decision", "/cases/" + first("type=decision").Payload.(*record.Decision).Case},
		{"almost an id", "/records/" + string(decided[:20]) + "x" + string(decided[21:])},
		{"policies", "/policies"},
		{"policy", "/policies/rules-dns"},
		{"keys", "/keys"},
		{"statistics", "/stats"},
		{"statistics of a clause", "/stats/clause?policy=rules-dns&clause=illegal&layer=dns"},
		{"due", "/due"},
		{"void records", "/void"},
		{"log", "/log"},
		{"check", "/check"},
		{"api search", "/v1/records?q=%22of+the%22&limit=100"},
		{"api counts", "/v1/counts?by=action,layer,month"},
	} {
		b.Run(page.name, func(b *testing.B) { benchmarkPage(b, handler, page.path) })
	}
}

func benchmarkPage(b *testing.B, handler http.Handler, path string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept", "text/html")
	for b.Loop() {
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		if n, err := io.Copy(io.Discard, rec.Body); err != nil || n == 0 || rec.Code >= 500 {
			b.Fatalf("%s: %d, %d bytes, %v", path, rec.Code, n, err)
		}
		b.ReportMetric(float64(rec.Code), "status")
	}
}
