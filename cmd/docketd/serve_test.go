package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// started begins a ledger in a new directory and returns it with its key.
func started(t *testing.T) (dir, vkey string) {
	t.Helper()
	dir = t.TempDir()
	silent := cli.Streams{Out: io.Discard, Err: io.Discard}
	if err := key(t.Context(), []string{"--data", dir, "--origin", "ledger.example.com/2026"}, silent); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "keys", "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	vkey = strings.TrimSpace(string(b))
	signed, err := charter(vkey, "ada", "ben", "rita")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "charter.jws")
	if err := os.WriteFile(file, signed, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := initialise(t.Context(), []string{"--data", dir, "--charter", file}, silent); err != nil {
		t.Fatal(err)
	}
	return dir, vkey
}

// running serves dir until the function that it returns is called, which returns
// what serve did.
func running(t *testing.T, dir string, more ...string) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- serve(ctx, append([]string{"--data", dir, "--listen", "127.0.0.1:0"}, more...), cli.Streams{Out: io.Discard, Err: w})
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if _, after, ok := strings.Cut(lines.Text(), " on "); ok {
			url = after
			break
		}
	}
	go func() {
		for lines.Scan() { // the request log
		}
	}()
	if url == "" {
		t.Fatalf("serve: %v", <-ended)
	}
	return url, func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Second):
			return errors.New("serve does not end")
		}
	}
}

// enrolment returns the record that enrols holder i. ada's numbers need not be
// without gaps: they are findings then, and the record is effective.
func enrolment(t *testing.T, i int, seen record.Seen) []byte {
	t.Helper()
	name := fmt.Sprintf("holder-%d", i)
	u, err := record.NewDraft(&record.KeyEnrol{Common: record.Common{Ledger: "ledger.example.com/2026"},
		Holder: name, JWK: ledgertest.JWK(name), Roles: []record.Role{record.RoleDecider}})
	if err != nil {
		t.Fatal(err)
	}
	for signer, seq := range map[string]int64{name: 1, "ada": int64(i) + 2} {
		if u, err = u.Sign(ledgertest.Key(signer), time.Now().Unix(), seq, seen); err != nil {
			t.Fatal(err)
		}
	}
	return u.Bytes()
}

// TestDrain stops the server while many wait: each is answered with a receipt
// that holds or told plainly that nothing came of it, and what was acknowledged
// is there afterwards.
func TestDrain(t *testing.T) {
	dir, vkey := started(t)
	url, stop := running(t, dir)
	c, err := client.New(url)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := verify.ParsePolicy([]byte("log " + vkey + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	const n = 64
	var records [n][]byte
	for i := range records {
		records[i] = enrolment(t, i, record.SeenNothing)
	}
	var acknowledged sync.Map
	var wg sync.WaitGroup
	first := make(chan bool, n)
	for i, b := range records {
		wg.Go(func() {
			out, err := c.Submit(t.Context(), b)
			first <- true
			var p *problem.Problem
			if errors.As(err, &p) && p.Status != 503 {
				t.Errorf("submit %d: %v", i, err)
			}
			if err != nil {
				return // the connection was refused, or too late to begin
			}
			receipt, err := verify.ParseReceipt([]byte(out.Receipt))
			if err != nil {
				t.Errorf("receipt %d: %v", i, err)
				return
			}
			if _, err := receipt.Check(policy, b); err != nil {
				t.Errorf("receipt %d: %v", i, err)
			}
			acknowledged.Store(i, out.Index)
		})
	}
	<-first
	if err := stop(); err != nil {
		t.Errorf("serve: %v", err)
	}
	wg.Wait()

	url, stop = running(t, dir)
	if c, err = client.New(url); err != nil {
		t.Fatal(err)
	}
	count := 0
	acknowledged.Range(func(i, index any) bool {
		count++
		out, err := c.Submit(t.Context(), records[i.(int)])
		if err != nil || !out.Known || out.Index != index.(int64) {
			t.Errorf("record %v after the restart: %+v, %v, want index %v", i, out.Standing, err, index)
		}
		return true
	})
	if count == 0 {
		t.Error("no record was acknowledged")
	}
	sum, err := verify.Audit(t.Context(), c, policy, verify.AuditOptions{Found: func(verify.Finding) {}})
	if err != nil || sum.Broken > 0 || sum.Void > 0 || sum.Effective < int64(count)+1 {
		t.Errorf("audit: %+v, %v; %d were acknowledged", sum, err, count)
	}
	if err := stop(); err != nil {
		t.Errorf("serve again: %v", err)
	}
}
