//go:build browser

package main

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/ledger/ledgertest"
)

// TestHostile shows a ledger to Chromium in which every text of every record
// attacks the page that shows it.
func TestHostile(t *testing.T) {
	w := ledgertest.NewHostile(t)
	x, err := index.Open(t.Context(), index.Config{Dir: t.TempDir(), Log: w.Ledger})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	server := httptest.NewServer(api.New(w.Ledger, api.Options{Index: x, Now: w.Now, Logger: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn}))}))
	t.Cleanup(func() {
		server.Close()
		cancel()
		<-ended // it ends with the context
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	info, err := w.Ledger.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Wait(ctx, info.Size); err != nil {
		t.Fatal(err)
	}
	browse(t, "hostile", server.URL, "START="+ledgertest.HostileStart, "END="+ledgertest.HostileEnd)
}
