package api_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// publish publishes version 1 of a policy of a name.
func (s *site) publish(name string) record.ID {
	p := ledgertest.Abuse()
	p.Policy = name
	return s.Submit(s.Sign(p, "ada", "cleo")).ID
}

func TestPolicies(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	gone := s.publish("gone")
	late := ledgertest.Abuse()
	late.Version, late.EffectiveFrom = 2, s.Time(48*time.Hour)
	second := s.Submit(s.Sign(late, "ada", "cleo")).ID
	s.Submit(s.Sign(&record.PolicyRepeal{Policy: "gone", EffectiveFrom: s.Time(time.Hour), Lang: "en", Reasons: "It is over."}, "ada", "cleo"))

	got, err := s.client.Policies(ctx, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	start := record.Time(ledgertest.Start.Unix())
	want := client.Policies{Size: 9, Policies: []client.Policy{
		{Policy: "abuse", InForce: 1, Versions: []client.PolicyVersion{
			{Version: 1, Record: s.Policy, Start: start}, {Version: 2, Record: second, Start: start + 48*3600}}},
		{Policy: "gone", InForce: 1, Versions: []client.PolicyVersion{{Version: 1, Record: gone, Start: start}}, Repealed: true, RepealedAt: start + 3600},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	s.Advance(49 * time.Hour)
	for name, want := range map[string]int64{"abuse": 2, "gone": 0} {
		if p, err := s.client.Policy(ctx, name); err != nil || p.InForce != want || p.Policy != name {
			t.Errorf("%s two days later: %+v, %v, want version %d in force", name, p, err, want)
		}
	}
	if _, err := s.client.Policy(ctx, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such policy: %v", err)
	}
}

// TestPages: a cursor goes on where the page before ended, whatever was logged in
// between.
func TestPages(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	for _, name := range []string{"b-policy", "d-policy", "f-policy"} {
		s.publish(name)
	}
	var names []string
	cursor := ""
	for i := range 10 {
		p, err := s.client.Policies(ctx, 2, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range p.Policies {
			names = append(names, one.Policy)
		}
		if cursor = p.Next; cursor == "" {
			break
		}
		s.publish(fmt.Sprintf("aa-%d", i)) // before the cursor
		s.publish(fmt.Sprintf("e-%d", i))  // after it
	}
	if want := []string{"abuse", "b-policy", "d-policy", "e-0", "e-1", "f-policy"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}

	var kids []string
	for more, cursor := true, ""; more; {
		k, err := s.client.Keys(ctx, 4, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range k.Keys {
			kids = append(kids, one.KID)
			if alone, err := s.client.Key(ctx, one.KID); err != nil || !reflect.DeepEqual(alone, one) {
				t.Errorf("key %s: %+v in the listing, %+v alone (%v)", one.KID, one, alone, err)
			}
		}
		cursor, more = k.Next, k.Next != ""
	}
	if !slices.IsSorted(kids) || len(slices.Compact(kids)) != 9 {
		t.Errorf("keys: %v, want the 9 in order", kids)
	}
	if p, err := s.client.Policies(ctx, 5, "zzz"); err != nil || len(p.Policies) != 0 || p.Next != "" || p.Policies == nil {
		t.Errorf("after the end: %+v, %v", p, err)
	}
}

// story logs a case: refused and logged as void, an emergency, an erratum and an
// execution about it, its approval, a void attempt to change it; and another case.
func story(t *testing.T, s *site) (emergency, ratification record.ID) {
	t.Helper()
	void := func(b []byte) {
		t.Helper()
		out, err := s.Ledger.Submit(context.Background(), b, ledger.Options{LogVoid: true})
		if err != nil || out.Standing.Effective() {
			t.Fatalf("void: %+v, %v", out, err)
		}
	}
	early := s.Decision("case-one")
	early.Grounds = nil
	void(s.Sign(early, "dora"))
	d := s.Decision("case-one")
	d.ServiceLayer, d.Action, d.Grounds[0].Clause, d.Emergency = "security", record.Restrict, "security", &record.Harm{Harm: "threat-to-life"}
	emergency = s.Submit(s.Sign(d, "dora")).ID
	s.Submit(s.Sign(s.Decision("case-two"), "dora", "erik"))
	s.Submit(s.Sign(&record.Erratum{About: emergency, Lang: "en", Reasons: "A slip.",
		Corrections: []record.Correction{{Member: "facts", Was: d.Facts, Is: "A page offered malware."}}}, "dora"))
	ratification = s.Submit(s.Sign(&record.Ratification{Case: "case-one", Prev: emergency, Decision: emergency, Lang: "en", Reasons: "It was right."}, "fay", "gus")).ID
	void(s.Sign(s.Decision("case-one"), "dora", "erik")) // it has no prev
	return emergency, ratification
}

func TestCase(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	emergency, ratification := story(t, s)
	got, err := s.client.Case(ctx, "case-one", 0, "")
	if err != nil {
		t.Fatal(err)
	}
	if got.Case != "case-one" || got.Subject != ledgertest.Ref("case-one") || got.Tip != ratification || got.Size != 12 || got.Next != "" ||
		got.InForce == nil || *got.InForce != (client.InForce{Action: record.Restrict, Decision: emergency, Status: rules.InForce}) {
		t.Errorf("got %+v, in force %+v", got, got.InForce)
	}
	var rows []string
	for _, r := range got.Records {
		row := fmt.Sprint(r.Index, " ", r.Type, " ", r.Standing.Standing)
		if len(r.Codes) > 0 {
			row += " " + r.Codes[0].Code
		}
		rows = append(rows, row)
		if e, err := s.client.Record(ctx, r.ID); err != nil || e.Index != r.Index {
			t.Errorf("record %d: %+v, %v", r.Index, e, err)
		}
	}
	want := []string{"6 decision void ground.none", "7 decision effective", "9 erratum effective",
		"10 ratification effective", "11 decision void case.exists"}
	if !slices.Equal(rows, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}

	// In pages, while the case goes on.
	var indexes []int64
	cursor := ""
	for i := range 10 {
		page, err := s.client.Case(ctx, "case-one", 2, cursor)
		if err != nil || page.Subject != got.Subject {
			t.Fatalf("page %d: %+v, %v", i, page, err)
		}
		for _, r := range page.Records {
			indexes = append(indexes, r.Index)
		}
		if i == 0 {
			d := s.Decision("case-one")
			d.Prev, d.ServiceLayer, d.Action, d.Grounds[0].Clause = ratification, "security", record.Decline, "security"
			s.Submit(s.Sign(d, "dora", "erik"))
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if !slices.Equal(indexes, []int64{6, 7, 9, 10, 11, 12}) {
		t.Errorf("pages: %v", indexes)
	}
	if _, err := s.client.Case(ctx, "case-none", 0, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such case: %v", err)
	}
}

// TestCaseOfVoid: a case that only void records name is nobody's yet.
func TestCaseOfVoid(t *testing.T) {
	s := newSite(t)
	out, err := s.Ledger.Submit(context.Background(), s.Sign(s.Decision("case-one"), "dora"), ledger.Options{LogVoid: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.client.Case(context.Background(), "case-one", 0, "")
	if err != nil || len(got.Records) != 1 || got.Records[0].ID != out.ID || got.Subject != "" || got.Tip != "" || got.InForce != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestRebuilt: what the listings say comes from the log alone.
func TestRebuilt(t *testing.T) {
	s := newSite(t)
	story(t, s)
	read := func() []string {
		var answers []string
		for _, path := range []string{"/v1/cases/case-one", "/v1/cases/case-two", "/v1/policies", "/v1/keys"} {
			res, body := do(t, "GET", s.url+path, nil)
			answers = append(answers, fmt.Sprint(res.StatusCode, res.Header.Get("ETag"), body))
		}
		return answers
	}
	before := read()
	s.Close()
	if err := os.RemoveAll(filepath.Join(s.Dir, "state")); err != nil {
		t.Fatal(err)
	}
	s.OpenParts()
	s.OpenLedger()
	s.url, s.log = serve(t, s.Ledger)
	if after := read(); !slices.Equal(before, after) {
		t.Errorf("before:\n%s\nafter:\n%s", strings.Join(before, ""), strings.Join(after, ""))
	}
}

// TestTags: who has an answer is told when it is the same, and only then.
func TestTags(t *testing.T) {
	s := newSite(t)
	id := s.Submit(s.Sign(s.Decision("case-one"), "dora", "erik")).ID
	paths := map[string]bool{ // whether another case changes it
		"/v1/log": true, "/checkpoint": true, "/v1/records/" + string(id) + "/receipt": true,
		"/v1/keys/" + ledgertest.JWK("dora").KID(): true, "/v1/keys": true,
		"/v1/policies": false, "/v1/policies/abuse": false, "/v1/cases/case-one": false, "/v1/records/" + string(id): false,
	}
	tags := map[string]string{}
	for path := range paths {
		res, body := do(t, "GET", s.url+path, nil)
		tags[path] = res.Header.Get("ETag")
		for _, field := range []string{tags[path], `"other", ` + tags[path], "*", strings.TrimPrefix(tags[path], "W/")} {
			again, text := do(t, "GET", s.url+path, nil, "If-None-Match", field)
			if again.StatusCode != 304 || text != "" || again.Header.Get("ETag") != tags[path] {
				t.Errorf("%s with %s: %d %q, want 304", path, field, again.StatusCode, text)
			}
		}
		head, text := do(t, "HEAD", s.url+path, nil)
		if head.StatusCode != 200 || text != "" || head.ContentLength != int64(len(body)) || head.Header.Get("ETag") != tags[path] {
			t.Errorf("HEAD %s: %d, %d bytes, want %d, %v", path, head.StatusCode, head.ContentLength, len(body), head.Header)
		}
	}
	s.Submit(s.Sign(s.Decision("case-two"), "dora", "erik"))
	for path, changes := range paths {
		res, _ := do(t, "GET", s.url+path, nil, "If-None-Match", tags[path])
		if want := map[bool]int{true: 200, false: 304}[changes]; res.StatusCode != want {
			t.Errorf("%s after another case: %d, want %d", path, res.StatusCode, want)
		}
		if path == "/v1/policies" && res.Header.Get("Docket-Size") != "8" {
			t.Errorf("%s: Docket-Size %q, want 8", path, res.Header.Get("Docket-Size"))
		}
	}
}

// TestReceiptAsJSON: the full receipt, as text and within JSON.
func TestReceiptAsJSON(t *testing.T) {
	s := newSite(t)
	id := s.Submit(s.Sign(s.Decision("case-one"), "dora", "erik")).ID
	path := s.url + "/v1/records/" + string(id) + "/receipt"
	_, text := do(t, "GET", path, nil)
	for _, accept := range []string{"application/json", "text/plain;q=0.5, application/json", "application/json, text/plain"} {
		res, body := do(t, "GET", path, nil, "Accept", accept)
		var got client.Receipt
		decode(t, body, &got)
		if got.Receipt != text || got.ID != id || got.Standing.Standing != client.Effective || res.Header.Get("Vary") != "Accept" {
			t.Errorf("%s: got %s", accept, body)
		}
	}
	for _, accept := range []string{"text/plain", "*/*", "application/json;q=0.1, text/plain", ""} {
		res, body := do(t, "GET", path, nil, "Accept", accept)
		if body != text || res.Header.Get("Docket-Standing") != "effective" {
			t.Errorf("%s: got %v %s", accept, res.Header, body)
		}
	}
}
