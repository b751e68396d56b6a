package mirror_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/mirror"
	sources "github.com/docket-ledger/docket/cmd/internal/source"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
)

// BenchmarkSync copies a log of 1 KB entries over loopback: verified and durable,
// and as a plain loop of GETs into files by as many goroutines, which waits for the
// disk or does not. Where TMPDIR is in memory, no one waits.
func BenchmarkSync(b *testing.B) {
	const size = 100 * 256
	entries := make([][]byte, size)
	for i := range entries {
		entries[i] = append(fmt.Append(nil, i), bytes.Repeat([]byte("x"), 1000)...)
	}
	skey, vkey, err := note.GenerateKey(nil, "static.example/log")
	if err != nil {
		b.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		b.Fatal(err)
	}
	p, err := verify.ParsePolicy([]byte("log " + vkey + "\nquorum none\n"))
	if err != nil {
		b.Fatal(err)
	}
	files, err := ledgertest.StaticLog(signer, entries)
	if err != nil {
		b.Fatal(err)
	}
	total := int64(0)
	for _, f := range files {
		total += int64(len(f))
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path[1:]]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(f)
	}))
	defer server.Close()
	b.Run("verified", func(b *testing.B) {
		b.SetBytes(total)
		for b.Loop() {
			c, err := client.New(server.URL)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := mirror.Sync(context.Background(), mirror.Config{Source: sources.Patient(c, client.Lasting), Policies: verify.Policies{p}, Dir: filepath.Join(b.TempDir(), "mirror")}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, synced := range []bool{false, true} {
		b.Run(fmt.Sprintf("plain/synced=%t", synced), func(b *testing.B) {
			b.SetBytes(total)
			for b.Loop() {
				if err := plainCopy(server.URL, size, b.TempDir(), 8, synced); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// plainCopy copies a log and believes everything. synced says whether each file is
// to be on the disk.
func plainCopy(url string, size int64, dir string, parallel int, synced bool) error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	c := &http.Client{Transport: transport}
	defer c.CloseIdleConnections()
	get := func(path string) error {
		res, err := c.Get(url + "/" + path)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		name := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err = io.Copy(f, res.Body); err != nil || !synced {
			return err
		}
		return f.Sync()
	}
	paths := make(chan string)
	errs := make(chan error, parallel)
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for path := range paths {
				if err := get(path); err != nil {
					select {
					case errs <- err:
					default:
					}
				}
			}
		})
	}
	paths <- "checkpoint"
	for id := range tile.All(size) {
		paths <- id.Path()
	}
	close(paths)
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}
