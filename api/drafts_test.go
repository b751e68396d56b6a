package api_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/api/proof"
	"github.com/docket-ledger/docket/ledger/drafts"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// as makes a request with a proof of the key of a name.
func (s *site) as(t *testing.T, name, method, path, body string, fields ...string) (*http.Response, string) {
	t.Helper()
	p, err := proof.Sign(ledgertest.Key(name), method, s.url+path, []byte(body), s.Now())
	if err != nil {
		t.Fatal(err)
	}
	return do(t, method, s.url+path, strings.NewReader(body), append([]string{"Content-Type", "application/jose+json", proof.Header, p}, fields...)...)
}

// draft decodes an answer that must be a draft.
func draft(t *testing.T, res *http.Response, body string, status int) client.Draft {
	t.Helper()
	var d client.Draft
	if err := json.Unmarshal([]byte(body), &d); err != nil || res.StatusCode != status {
		t.Fatalf("got %d %s, want %d and a draft (%v)", res.StatusCode, body, status, err)
	}
	return d
}

// waiting returns how many drafts wait, as dora sees it.
func (s *site) waiting(t *testing.T) []client.Draft {
	t.Helper()
	res, body := s.as(t, "dora", "GET", "/v1/drafts", "")
	var all client.Drafts
	if err := json.Unmarshal([]byte(body), &all); err != nil || res.StatusCode != 200 {
		t.Fatalf("got %d %s (%v)", res.StatusCode, body, err)
	}
	return all.Drafts
}

// signMore adds a signature to a record.
func (s *site) signMore(t *testing.T, b []byte, name string, seq int64) []byte {
	t.Helper()
	u, err := record.Parse(b)
	if err == nil {
		u, err = u.Sign(ledgertest.Key(name), s.Now().Unix(), seq, s.Seen())
	}
	if err != nil {
		t.Fatal(err)
	}
	return u.Bytes()
}

// TestMeeting: two people sign one decision where neither sees the other.
func TestMeeting(t *testing.T) {
	s := newSite(t)
	d := s.Decision("case-one")
	first := s.Sign(d, "dora")
	res, body := s.as(t, "dora", "POST", "/v1/drafts", string(first))
	got := draft(t, res, body, 201)
	u, err := record.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	id := drafts.IDOf(u.PayloadBytes())
	if got.ID != id || got.Type != record.TypeDecision || got.Case != "case-one" || len(got.Signers) != 1 ||
		got.Signers[0] != (client.DraftSigner{KID: ledgertest.JWK("dora").KID(), Holder: "dora", IAT: s.Now().Unix()}) ||
		got.Posted != s.Time(0) || got.Expires != s.Time(720*time.Hour) || string(got.Record) != string(first) {
		t.Errorf("got %+v", got)
	}
	if res.Header.Get("Location") != "/v1/drafts/"+id {
		t.Errorf("Location: %q", res.Header.Get("Location"))
	}

	// erik finds it, signs it himself and posts only his own signature.
	res, body = s.as(t, "erik", "GET", "/v1/drafts/"+id, "")
	found := draft(t, res, body, 200)
	if found.ID != id || !strings.Contains(res.Header.Get("Cache-Control"), "private") || res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("got %+v, %v", found, res.Header)
	}
	if res, body = s.as(t, "erik", "GET", "/v1/drafts/"+id, "", "If-None-Match", res.Header.Get("ETag")); res.StatusCode != 304 || body != "" {
		t.Errorf("the same again: %d %q, want 304", res.StatusCode, body)
	}
	if res, body = s.as(t, "erik", "HEAD", "/v1/drafts/"+id, ""); res.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: %d %q", res.StatusCode, body)
	}
	s.Advance(time.Minute)
	res, body = s.as(t, "erik", "POST", "/v1/drafts", string(s.Sign(d, "erik")))
	both := draft(t, res, body, 200)
	if len(both.Signers) != 2 || both.ID != id || both.Posted != got.Posted || both.Expires != got.Expires {
		t.Errorf("merged: %+v", both)
	}

	// What was logged waits no longer, and can't be posted again.
	if waiting := s.waiting(t); len(waiting) != 1 || len(waiting[0].Signers) != 2 {
		t.Errorf("waiting: %+v", waiting)
	}
	s.Submit(both.Record)
	if waiting := s.waiting(t); len(waiting) != 0 {
		t.Errorf("waiting after it was logged: %+v", waiting)
	}
	res, body = s.as(t, "erik", "GET", "/v1/drafts/"+id, "")
	wantProblem(t, "get what was logged", res, body, 404, problem.NotFound)
	res, body = s.as(t, "erik", "POST", "/v1/drafts", string(both.Record))
	wantProblem(t, "post what was logged", res, body, 409, problem.DraftLogged)
	if files, err := filepath.Glob(filepath.Join(s.Dir, "drafts", "*")); err != nil || len(files) != 0 {
		t.Errorf("left on disk: %v, %v", files, err)
	}
}

// TestLaterSignatureStays: a copy with an older signature does not bring that
// one back.
func TestLaterSignatureStays(t *testing.T) {
	s := newSite(t)
	old := s.Sign(s.Decision("case-one"), "dora")
	s.Advance(time.Minute)
	renewed := s.signMore(t, old, "dora", 7)
	s.as(t, "dora", "POST", "/v1/drafts", string(renewed))
	res, body := s.as(t, "erik", "POST", "/v1/drafts", string(s.signMore(t, old, "erik", 2)))
	got := draft(t, res, body, 200)
	u, err := record.Parse(got.Record)
	if err != nil || len(u.Headers()) != 2 {
		t.Fatalf("%s, %v", got.Record, err)
	}
	for _, h := range u.Headers() {
		if h.KID == ledgertest.JWK("dora").KID() && h.Seq != 7 {
			t.Errorf("dora's signature has seq %d, want the later one, 7", h.Seq)
		}
	}
}

// TestEnrolmentDraft: the new key signs along before it is known.
func TestEnrolmentDraft(t *testing.T) {
	s := newSite(t)
	b := s.Sign(&record.KeyEnrol{Holder: "hans", JWK: ledgertest.JWK("hans"), Roles: []record.Role{record.RoleDecider}}, "ada", "hans")
	res, body := s.as(t, "ada", "POST", "/v1/drafts", string(b))
	got := draft(t, res, body, 201)
	holders := map[string]bool{}
	for _, signer := range got.Signers {
		holders[signer.Holder] = true
	}
	if !holders["ada"] || !holders["hans"] || got.Case != "" {
		t.Errorf("got %+v", got)
	}
	res, body = s.as(t, "hans", "GET", "/v1/drafts", "")
	wantProblem(t, "a key that is not enrolled yet", res, body, 401, problem.ProofKey)
}

// TestProofs: who may not, and why.
func TestProofs(t *testing.T) {
	s := newSite(t)
	b := string(s.Sign(s.Decision("case-one"), "dora"))
	sign := func(name, method, url, body string, d time.Duration) string {
		p, err := proof.Sign(ledgertest.Key(name), method, url, []byte(body), s.Now().Add(d))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	s.Submit(s.Sign(&record.KeyEnrol{Holder: "gone", JWK: ledgertest.JWK("gone"), Roles: []record.Role{record.RoleDecider}}, "ada", "ben", "gone"))
	s.Submit(s.Sign(&record.KeyRevoke{KID: ledgertest.JWK("gone").KID(), Reason: record.Retired}, "ada", "ben"))
	s.Submit(s.Sign(&record.KeyEnrol{Holder: "brief", JWK: ledgertest.JWK("brief"), Roles: []record.Role{record.RoleDecider}, ValidUntil: s.Time(time.Hour)}, "ada", "ben", "brief"))
	s.Advance(2 * time.Hour)

	for _, method := range []string{"POST", "GET"} {
		body := ""
		if method == "POST" {
			body = b
		}
		url := s.url + "/v1/drafts"
		for _, test := range []struct {
			what, proof, code string
		}{
			{"no proof", "", problem.ProofMissing},
			{"no JWS", "x", problem.ProofInvalid},
			{"a stranger", sign("nobody", method, url, body, 0), problem.ProofKey},
			{"a revoked key", sign("gone", method, url, body, 0), problem.ProofKey},
			{"an expired key", sign("brief", method, url, body, 0), problem.ProofKey},
			{"another body", sign("dora", method, url, body+" ", 0), problem.ProofInvalid},
			{"another method", sign("dora", "PUT", url, body, 0), problem.ProofInvalid},
			{"another host", sign("dora", method, "http://other.example/v1/drafts", body, 0), problem.ProofInvalid},
			{"another path", sign("dora", method, s.url+"/v1/records", body, 0), problem.ProofInvalid},
			{"too old", sign("dora", method, url, body, -301*time.Second), problem.ProofInvalid},
			{"too early", sign("dora", method, url, body, 301*time.Second), problem.ProofInvalid},
		} {
			fields := []string{"Content-Type", "application/jose+json"}
			if test.proof != "" {
				fields = append(fields, proof.Header, test.proof)
			}
			res, text := do(t, method, url, strings.NewReader(body), fields...)
			wantProblem(t, method+" with "+test.what, res, text, 401, test.code)
			if got := res.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "DPoP ") {
				t.Errorf("%s with %s: WWW-Authenticate %q", method, test.what, got)
			}
		}
		used := sign("dora", method, url, body, 299*time.Second)
		for i, want := range []int{200, 401} {
			res, text := do(t, method, url, strings.NewReader(body), "Content-Type", "application/jose+json", proof.Header, used)
			if i == 1 {
				wantProblem(t, "the same proof again", res, text, want, problem.ProofReplayed)
			} else if res.StatusCode/100 != 2 {
				t.Errorf("%s: %d %s", method, res.StatusCode, text)
			}
		}
	}
	res, body := s.as(t, "erik", "POST", "/v1/drafts", b)
	wantProblem(t, "a record of others", res, body, 403, problem.Forbidden)
	d := s.waiting(t)[0]
	res, body = s.as(t, "erik", "DELETE", "/v1/drafts/"+d.ID, "")
	wantProblem(t, "deleted by another", res, body, 403, problem.Forbidden)
	res, body = do(t, "DELETE", s.url+"/v1/drafts/"+d.ID, nil)
	wantProblem(t, "deleted by nobody", res, body, 401, problem.ProofMissing)
	res, body = s.as(t, "dora", "DELETE", "/v1/drafts/"+d.ID, "")
	if draft(t, res, body, 200).ID != d.ID || len(s.waiting(t)) != 0 {
		t.Errorf("deleted by its signer: %d %s", res.StatusCode, body)
	}
	res, body = s.as(t, "dora", "DELETE", "/v1/drafts/"+d.ID, "")
	wantProblem(t, "deleted twice", res, body, 404, problem.NotFound)
}

// TestPublicURL: behind a proxy, proofs are for the URL that everybody uses.
func TestPublicURL(t *testing.T) {
	s := newSite(t)
	s.url, _ = serveWith(t, s.Ledger, api.Options{Drafts: s.drafts, Now: s.Now, PublicURL: "https://ledger.test.example/2026/"})
	for url, want := range map[string]int{
		"https://ledger.test.example/2026/v1/drafts": 200,
		"https://ledger.test.example/v1/drafts":      401,
		"http://ledger.test.example/2026/v1/drafts":  401,
		s.url + "/v1/drafts":                         401,
	} {
		p, err := proof.Sign(ledgertest.Key("dora"), "GET", url, nil, s.Now())
		if err != nil {
			t.Fatal(err)
		}
		if res, body := do(t, "GET", s.url+"/v1/drafts", nil, proof.Header, p); res.StatusCode != want {
			t.Errorf("a proof for %s: %d %s, want %d", url, res.StatusCode, body, want)
		}
	}
}

// TestDraftRefused: a draft is a record as far as it can be judged yet.
func TestDraftRefused(t *testing.T) {
	s := newSite(t)
	other := s.Decision("case-one")
	other.Ledger = "other.example/2026"
	old := s.Sign(s.Decision("case-old"), "dora")
	forgedSig := forge(t, s.Sign(s.Decision("case-two"), "dora"), func(f *forged) { resign(f, "erik") })
	stranger := s.Sign(s.Decision("case-three"), "dora", "nobody")
	unsigned, err := record.NewDraft(other)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		what, body string
		status     int
		code       string
	}{
		{"nothing", "", 400, "record.malformed"},
		{"unsigned", string(unsigned.Bytes()), 400, "record.malformed"},
		{"another ledger's", string(s.Sign(other, "dora")), 422, "ledger.mismatch"},
		{"signed by a stranger, too", string(stranger), 422, "key.unknown"},
		{"a signature that does not hold", string(forgedSig), 422, "signature.invalid"},
		{"too large", strings.Repeat("x", record.MaxSize+1), 413, problem.TooLarge},
	} {
		res, body := s.as(t, "dora", "POST", "/v1/drafts", test.body)
		wantProblem(t, test.what, res, body, test.status, test.code)
	}
	s.Advance(721 * time.Hour)
	res, body := s.as(t, "dora", "POST", "/v1/drafts", string(old))
	wantProblem(t, "too old", res, body, 422, "admission.draft_expired")
	res, body = s.as(t, "dora", "POST", "/v1/drafts", string(s.Sign(s.Decision("case-four"), "dora")), "Content-Type", "text/plain")
	if res.StatusCode != 201 { // the first of two fields counts
		t.Errorf("%d %s", res.StatusCode, body)
	}
	for path, allow := range map[string]string{"/v1/drafts": "GET, HEAD, POST", "/v1/drafts/draft-x": "DELETE, GET, HEAD"} {
		res, body := do(t, "PUT", s.url+path, nil)
		wantProblem(t, path, res, body, 405, problem.MethodNotAllowed)
		if res.Header.Get("Allow") != allow {
			t.Errorf("%s: Allow %q, want %q", path, res.Header.Get("Allow"), allow)
		}
	}
}

// TestDraftLimit: one key can't take all the room.
func TestDraftLimit(t *testing.T) {
	s := newSite(t)
	for i, name := range []string{"case-a", "case-b", "case-c", "case-d"} {
		res, body := s.as(t, "dora", "POST", "/v1/drafts", string(s.Sign(s.Decision(name), "dora")))
		if i < 3 {
			draft(t, res, body, 201)
			continue
		}
		wantProblem(t, "one too many", res, body, 429, problem.DraftLimit)
	}
	res, body := s.as(t, "erik", "POST", "/v1/drafts", string(s.Sign(s.Decision("case-e"), "erik")))
	draft(t, res, body, 201)

	// And no draft more signatures than a record may have.
	p := &record.KeyRevoke{KID: ledgertest.JWK("fay").KID(), Reason: record.Retired}
	known := []string{"ada", "ben", "cleo", "dora", "erik", "fay", "gus", "rita", "rolf"}
	for i := range 8 {
		name := fmt.Sprintf("holder-%d", i)
		s.Submit(s.Sign(&record.KeyEnrol{Holder: name, JWK: ledgertest.JWK(name), Roles: []record.Role{record.RoleDecider}}, "ada", "ben", name))
		known = append(known, name)
	}
	res, body = s.as(t, "ada", "POST", "/v1/drafts", string(s.Sign(p, known[:16]...)))
	draft(t, res, body, 201)
	last := known[16]
	res, body = s.as(t, last, "POST", "/v1/drafts", string(s.Sign(p, last)))
	wantProblem(t, "seventeen signatures", res, body, 400, "record.malformed")
}

// TestLogVoid: what the rules refuse is logged on the word of one who signed it.
func TestLogVoid(t *testing.T) {
	s := newSite(t)
	alone := s.Decision("case-one")
	b := string(s.Sign(alone, "dora"))
	const path = "/v1/records?void=log"
	for _, test := range []struct {
		what, path, name string
		status           int
		code             string
	}{
		{"without proof", path, "", 401, problem.ProofMissing},
		{"a stranger", path, "nobody", 401, problem.ProofKey},
		{"one who has not signed", path, "erik", 403, problem.Forbidden},
		{"another word", "/v1/records?void=yes", "dora", 400, problem.BadQuery},
		{"twice", path + "&void=log", "dora", 400, problem.BadQuery},
		{"not asked for", "/v1/records", "dora", 422, "quorum.short"},
	} {
		var res *http.Response
		var body string
		if test.name == "" {
			res, body = do(t, "POST", s.url+test.path, strings.NewReader(b), "Content-Type", "application/jose+json")
		} else {
			res, body = s.as(t, test.name, "POST", test.path, b)
		}
		wantProblem(t, test.what, res, body, test.status, test.code)
	}
	res, body := s.as(t, "dora", "POST", path, b)
	if res.StatusCode != 201 || res.Header.Get("Docket-Standing") != "void" || res.Header.Get("Docket-Codes") != "quorum.short" {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
	}
	res, body = s.as(t, "dora", "POST", path, "{}")
	wantProblem(t, "no record", res, body, 400, "record.malformed")
	res, body = s.as(t, "fay", "POST", path, string(s.Sign(s.Decision("case-two"), "fay")))
	wantProblem(t, "a role that may not", res, body, 403, problem.Forbidden)
}

// TestDraftsClient asks for all of it from the other side.
func TestDraftsClient(t *testing.T) {
	s := newSite(t)
	s.url, _ = serveWith(t, s.Ledger, api.Options{Drafts: s.drafts})
	c, err := client.New(s.url)
	if err != nil {
		t.Fatal(err)
	}
	ctx, dora, erik := context.Background(), ledgertest.Key("dora"), ledgertest.Key("erik")
	d, err := c.PostDraft(ctx, dora, s.Sign(s.Decision("case-one"), "dora"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.Drafts(ctx, erik)
	if err != nil || len(all) != 1 || all[0].ID != d.ID {
		t.Errorf("drafts: %+v, %v", all, err)
	}
	got, err := c.Draft(ctx, erik, d.ID)
	if err != nil || string(got.Record) != string(d.Record) {
		t.Errorf("draft: %+v, %v", got, err)
	}
	if _, err := c.Draft(ctx, erik, "draft-x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such draft: %v", err)
	}
	if gone, err := c.DeleteDraft(ctx, dora, d.ID); err != nil || gone.ID != d.ID {
		t.Errorf("delete: %+v, %v", gone, err)
	}
	out, err := c.SubmitVoid(ctx, dora, s.Sign(s.Decision("case-two"), "dora"))
	if err != nil || out.Standing.Standing != client.Void {
		t.Errorf("void: %+v, %v", out, err)
	}
}
