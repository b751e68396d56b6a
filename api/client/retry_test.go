package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
)

// TestSubmitAgain: the same bytes are sent again after a broken connection and
// when the ledger is busy, and not when that is no use.
func TestSubmitAgain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		first  func(w http.ResponseWriter) // what happens to all but the last try
		tries  int64                       // until it goes well; 0: never
		sent   int64
		status int // of the problem, 0: none
	}{
		{"at once", nil, 1, 1, 0},
		{"connection breaks", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 3, 3, 0},
		{"busy", func(w http.ResponseWriter) { w.Header().Set("Retry-After", "1"); w.WriteHeader(503) }, 2, 2, 0},
		{"busy until a time", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", time.Now().Add(2*time.Second).UTC().Format(http.TimeFormat))
			w.WriteHeader(503)
		}, 2, 2, 0},
		{"busy for nobody knows how long", func(w http.ResponseWriter) { w.Header().Set("Retry-After", "soon"); w.WriteHeader(503) }, 0, 1, 503},
		{"busy until a time that is over", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT")
			w.WriteHeader(503)
		}, 0, 1, 503},
		{"too many requests", func(w http.ResponseWriter) { w.Header().Set("Retry-After", "1"); w.WriteHeader(429) }, 2, 2, 0},
		{"halted", func(w http.ResponseWriter) { w.Header().Set("Retry-After", "60"); w.WriteHeader(503) }, 0, 1, 503},
		{"refused", func(w http.ResponseWriter) { w.WriteHeader(422) }, 0, 1, 422},
		{"never an answer", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 0, 4, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if b, err := io.ReadAll(r.Body); err != nil || string(b) != "record" {
					t.Errorf("sent %q, %v", b, err)
				}
				if n := sent.Add(1); n != tt.tries {
					tt.first(w)
					return
				}
				fmt.Fprint(w, `{"id":"d-x","index":1,"standing":"effective","known":true,"receipt":"r"}`)
			}))
			defer server.Close()
			c, err := client.New(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			out, err := c.Submit(context.Background(), []byte("record"))
			var p *problem.Problem
			if errors.As(err, &p) != (tt.status != 0) || p != nil && p.Status != tt.status || (err == nil) != (tt.tries > 0) || (err == nil) != out.Known {
				t.Errorf("%+v, %v", out, err)
			}
			if sent.Load() != tt.sent {
				t.Errorf("sent %d times, want %d", sent.Load(), tt.sent)
			}
		})
	}
}

// TestSubmitEnds: a context that ends, ends the waiting.
func TestSubmitEnds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "9")
		w.WriteHeader(503)
	}))
	defer server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	var p *problem.Problem
	if _, err := c.Submit(ctx, []byte("record")); !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &p) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}
