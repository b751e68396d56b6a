package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// BenchmarkPages makes each kind of page of a ledger with a record of every type.
// A page of a record makes and checks its receipt, signatures included.
func BenchmarkPages(b *testing.B) {
	w := ledgertest.New(b, nil)
	ids := w.EveryType("Some words of a record.")
	handler := api.New(w.Ledger, api.Options{Index: newIndex(b, w), Now: w.Now})
	for name, path := range map[string]string{"home": "/", "search": "/search?q=words&type=decision", "decision": "/records/" + string(ids[record.TypeDecision]),
		"case": "/cases/" + ledgertest.EveryCase, "missing": "/records/d-" + string(ids["void"][3:])} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("Accept", "text/html")
			for b.Loop() {
				rec := httptest.NewRecorder()
				handler.ServeHTTP(rec, r)
				if n, err := io.Copy(io.Discard, rec.Body); err != nil || n == 0 || rec.Code >= 500 {
					b.Fatalf("%s: %d, %d bytes, %v", path, rec.Code, n, err)
				}
			}
		})
	}
}
