package main

import (
	"archive/zip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/mirror"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// TestHandoverWitnessed changes the log key of a ledger that has witnesses, timemarks
// and a mirror: everything goes on, what was witnessed before holds under the policy of
// its time, and the ledger can be restored from the mirror.
func TestHandoverWitnessed(t *testing.T) {
	d := newWitnessedDir(t)
	silent := cli.Streams{Out: io.Discard, Err: io.Discard}
	copyDir, ctx := filepath.Join(t.TempDir(), "mirror"), t.Context()
	c, stop := d.serve(t)
	first := d.submit(t, c)
	d.witnessed(t, c, first.ID)
	old, err := c.WitnessedReceipt(ctx, first.ID, time.Minute)
	must(t, err)
	policies := verify.Policies{d.trust}
	synced(t, c, policies, copyDir)

	must(t, key(ctx, []string{"--data", d.dir, "--next"}, silent))
	next := vkeyIn(t, d.dir, "next")
	d.amend(t, c, d.vkey, next)
	must(t, stop())
	must(t, succeedKey(ctx, []string{"--data", d.dir}, silent))
	for _, p := range d.peers {
		p.Knows(t, d.vkey, next)
	}

	before := d.trust
	lines, err := os.ReadFile(d.policy)
	must(t, err)
	d.trust, err = verify.ParsePolicy(append([]byte("log "+next+"\n"), lines...))
	must(t, err)
	policies = verify.Policies{before, d.trust}
	c, stop = d.serve(t)
	last := d.submit(t, c)
	d.witnessed(t, c, last.ID) // under the new key
	r, err := verify.ParseReceipt(old)
	must(t, err)
	if p, err := policies.Check(r, verify.CheckOptions{}); err != nil || p.Index != first.Index {
		t.Errorf("the receipt of before: %+v, %v", p, err)
	}
	synced(t, c, policies, copyDir)
	audited(t, c, policies, last.Index)
	must(t, stop())

	mirrored := httptest.NewServer(http.FileServer(http.Dir(copyDir)))
	defer mirrored.Close()
	again := *d
	for name, from := range map[string]string{"folder": copyDir, "zip": zipped(t, copyDir), "url": mirrored.URL} {
		again.dir = filepath.Join(t.TempDir(), name)
		_, err = command(restore, "--data", again.dir, "--from-mirror", from, "--keys", filepath.Join(d.dir, "keys"), "--witness-policy", d.policy)
		must(t, err)
		checkSays(t, 0, fmt.Sprintf("%d records", last.Index+1), "--data", again.dir)
	}
	c, stop = again.serve(t)
	again.witnessed(t, c, again.submit(t, c).ID)
	audited(t, c, policies, last.Index+1)
	must(t, stop())
}

// amend makes vkeys the log keys of the charter.
func (d *witnessedDir) amend(t *testing.T, c *client.Client, vkeys ...string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(d.dir, "charter.jws"))
	must(t, err)
	u, err := record.Parse(b)
	must(t, err)
	p := &record.CharterAmend{Common: record.Common{Ledger: "ledger.example.com/2026"}, Terms: u.Payload().(*record.Charter).Terms, Reasons: "The log key changes."}
	p.LogKeys = vkeys
	b, err = sign(p, 100, record.SeenNothing, "ada")
	must(t, err)
	if out, err := c.Submit(t.Context(), b); err != nil || out.Standing.Standing != client.Effective {
		t.Fatalf("the amendment: %+v, %v", out.Standing, err)
	}
}

func synced(t *testing.T, c *client.Client, policies verify.Policies, dir string) {
	t.Helper()
	_, err := mirror.Sync(t.Context(), mirror.Config{Source: c, Policies: policies, Dir: dir})
	must(t, err)
}

// audited audits the log: witnessed, with timemarks, of more records than index, and
// nothing worse than a note is found.
func audited(t *testing.T, src verify.Source, policies verify.Policies, index int64) {
	t.Helper()
	sum, err := policies.Audit(t.Context(), src, verify.AuditOptions{Found: func(f verify.Finding) {
		if f.Severity != verify.Note {
			t.Errorf("%+v", f)
		}
	}})
	if err != nil || !sum.Witnessed || sum.ByType[record.TypeTimemark] < 2 || sum.Effective <= index {
		t.Errorf("audit: %+v, %v", sum, err)
	}
}

// zipped returns a zip file of a folder.
func zipped(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "mirror.zip"))
	must(t, err)
	z := zip.NewWriter(f)
	must(t, z.AddFS(os.DirFS(dir)))
	must(t, z.Close())
	must(t, f.Close())
	return f.Name()
}

func vkeyIn(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "keys", name+".vkey"))
	must(t, err)
	return strings.TrimSpace(string(b))
}
