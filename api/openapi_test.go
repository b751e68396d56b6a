package api_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	failures "github.com/pb33f/libopenapi-validator/errors"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/openapi"
	"github.com/docket-ledger/docket/api/proof"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/drafts"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// A described holds what a server does to a description of it.
type described struct {
	t         testing.TB
	operation map[string]openapi.Operation // by method and path
	validator validator.Validator

	mu   sync.Mutex
	seen map[string]bool // "GET /path 200"
}

func newDescribed(t testing.TB, description []byte) *described {
	t.Helper()
	document, err := libopenapi.NewDocument(description)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, errs := v.ValidateDocument(); !ok {
		t.Fatalf("the description is no OpenAPI: %v", errs)
	}
	d := &described{t: t, validator: v, operation: map[string]openapi.Operation{}, seen: map[string]bool{}}
	read, err := openapi.Read()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range read.Groups {
		for _, o := range g.Operations {
			d.operation[o.Method+" "+o.Path] = o
		}
	}
	return d
}

// of returns the operation of a request: that with the fewest variables.
func (d *described) of(method, path string) (found openapi.Operation) {
	fewest := 99
	for _, o := range d.operation {
		pattern := regexp.MustCompile("^" + regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(o.Path), "[^/]+") + "$")
		if n := strings.Count(o.Path, "{"); o.Method == method && pattern.MatchString(path) && n < fewest {
			found, fewest = o, n
		}
	}
	return found
}

// do makes a request and holds the answer to the description; a request that is
// answered with success is held to it, too.
func (d *described) do(method, url, body string, fields ...string) (*http.Response, string, []string) {
	d.t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		d.t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		d.t.Fatal(err)
	}
	var errs []*failures.ValidationError
	for _, part := range parts(res, b) {
		req.Body, res.Body = io.NopCloser(strings.NewReader(body)), io.NopCloser(bytes.NewReader(part))
		_, more := d.validator.ValidateHttpResponse(req, res)
		errs = append(errs, more...)
	}
	if len(errs) == 0 && res.StatusCode < 300 {
		req.Body = io.NopCloser(strings.NewReader(body))
		_, errs = d.validator.ValidateHttpRequest(req)
	}
	var wrong []string
	for _, e := range errs {
		wrong = append(wrong, e.Error())
	}
	o := d.of(method, req.URL.EscapedPath())
	status := fmt.Sprint(res.StatusCode)
	at := slices.IndexFunc(o.Answers, func(a openapi.Answer) bool { return a.Status == status })
	if at < 0 {
		status = "default"
		at = slices.IndexFunc(o.Answers, func(a openapi.Answer) bool { return a.Status == status })
	}
	if at < 0 || res.StatusCode < 400 && status == "default" {
		return res, string(b), append(wrong, fmt.Sprintf("%d is not described", res.StatusCode))
	}
	wrong = append(wrong, undescribed(o.Answers[at], res, b)...)
	mediaType, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	if len(b) > 0 && !slices.Contains(o.Answers[at].Types, mediaType) {
		wrong = append(wrong, fmt.Sprintf("%d is %s, want %v", res.StatusCode, mediaType, o.Answers[at].Types))
	}
	d.mu.Lock()
	d.seen[o.Method+" "+o.Path+" "+status] = true
	d.mu.Unlock()
	return res, string(b), wrong
}

// wants is do, whose answer must have a status and hold.
func (d *described) wants(status int, method, url, body string, fields ...string) (*http.Response, string) {
	d.t.Helper()
	res, answer, wrong := d.do(method, url, body, fields...)
	if res.StatusCode != status || len(wrong) > 0 {
		d.t.Errorf("%s %s: %d, want %d; %s\n%.400s", method, url, res.StatusCode, status, strings.Join(wrong, "\n"), answer)
	}
	return res, answer
}

// A describedSite is a server with everything, and one record of every type.
type describedSite struct {
	*site
	d   *described
	ids map[record.Type]record.ID
}

func newDescribedSite(t *testing.T, d *described) *describedSite {
	t.Helper()
	s := &describedSite{site: &site{World: ledgertest.New(t, nil)}, d: d}
	s.ids = s.EveryType("It happened.")
	var err error
	s.drafts, err = drafts.Open(drafts.Config{Dir: filepath.Join(s.Dir, "drafts"), Now: s.Now, Life: func() time.Duration { return 720 * time.Hour }, PerKey: 30})
	if err != nil {
		t.Fatal(err)
	}
	s.url, _ = serveWith(t, s.Ledger, api.Options{Drafts: s.drafts, Index: followed(t, s.Ledger), Now: s.Now, Limits: api.Limits{AddressRate: 1e6, AddressBurst: 1e6, Loopback: true}})
	return s
}

// prove makes header fields with a proof of the key of a name.
func (s *describedSite) prove(name, method, path, body string) []string {
	s.TB.Helper()
	p, err := proof.Sign(ledgertest.Key(name), method, s.url+path, []byte(body), s.Now())
	if err != nil {
		s.TB.Fatal(err)
	}
	return []string{"Content-Type", "application/jose+json", proof.Header, p}
}

// TestDescribed: each route is described and the reverse, each answer of a real server is
// as described, and each that is described is given.
func TestDescribed(t *testing.T) {
	d := newDescribed(t, openapi.JSON)
	s := newDescribedSite(t, d)
	s.reads()
	s.absent()
	s.misspelled()
	s.submissions()
	s.waiting()
	s.witnesses()
	s.floods()
	for _, key := range slices.Sorted(maps.Keys(d.operation)) {
		for _, a := range d.operation[key].Answers {
			if !d.seen[key+" "+a.Status] {
				t.Errorf("%s %s is described, and was never given", key, a.Status)
			}
		}
	}
}

// reads asks for what is there, twice: who has it is told so.
func (s *describedSite) reads() {
	s.TB.Helper()
	id, kid, last := string(s.ids[record.TypeDecision]), ledgertest.JWK("dora").KID(), s.Ledger.Head().Checkpoint.Size
	html := []string{"Accept", "text/html"}
	for _, test := range []struct {
		path   string
		accept string
	}{
		{"/v1/records?q=happened&type=decision&type=ruling&layer=hosting&from=2026-01-01&order=oldest&limit=3", ""},
		{fmt.Sprintf("/v1/records?at_least=%d", last), ""}, {"/v1/records?q=nothing-has-this", ""},
		{"/v1/counts?by=action,layer&standing=effective", ""}, {"/v1/counts?by=month&limit=1", ""},
		{"/v1/precedents?policy=abuse&clause=hosting&layer=hosting", ""}, {"/v1/precedents?policy=abuse&clause=hosting&layer=dns&except=nowhere&limit=1", ""},
		{"/v1/records/" + id, ""}, {"/v1/records/" + id, "application/json"}, {"/v1/records/" + string(s.ids["void"]), "application/json"},
		{"/v1/records/" + id + "/receipt", ""}, {"/v1/records/" + id + "/receipt", "application/json"},
		{"/v1/cases/" + ledgertest.EveryCase, ""}, {"/v1/cases/" + ledgertest.EveryCase + "?limit=2", ""}, {"/v1/cases/" + ledgertest.EveryCase + "/file", ""},
		{"/v1/policies", ""}, {"/v1/policies?limit=1", ""}, {"/v1/policies/abuse", ""}, {"/v1/policies/withdrawn", ""},
		{"/v1/keys", ""}, {"/v1/keys?limit=2", ""}, {"/v1/keys/" + kid, ""}, {"/v1/keys/" + ledgertest.JWK("tim").KID(), ""},
		{"/v1/due", ""}, {"/v1/due?at=2027-06-01T00:00:00Z", ""}, {"/v1/stats", ""}, {"/v1/stats?at_least=5", ""}, {"/v1/stats.csv?table=clauses", ""}, {"/v1/log", ""}, {"/v1/trust.policy", ""}, {"/feed.atom", ""},
		{"/checkpoint", ""}, {fmt.Sprintf("/tile/0/000.p/%d", last), ""}, {"/openapi.json", ""}, {"/static/style.css", ""}, {"/static/page.js", ""}, {"/static/icon.svg", ""},
		{"/", ""}, {"/", html[1]}, {"/search?q=happened", html[1]}, {"/records/" + id, html[1]}, {"/cases/" + ledgertest.EveryCase, html[1]}, {"/policies", html[1]},
		{"/policies/abuse", html[1]}, {"/keys", html[1]}, {"/keys/" + kid, html[1]}, {"/stats", html[1]}, {"/stats/clause?policy=process&clause=measures&layer=hosting", html[1]}, {"/due", html[1]}, {"/void", html[1]}, {"/log", html[1]}, {"/check", html[1]}, {"/api", html[1]},
	} {
		fields := []string{}
		if test.accept != "" {
			fields = append(fields, "Accept", test.accept)
		}
		res, _ := s.d.wants(200, "GET", s.url+test.path, "", fields...)
		if tag := res.Header.Get("ETag"); tag != "" {
			s.d.wants(304, "GET", s.url+test.path, "", append(fields, "If-None-Match", tag)...)
		}
	}
	s.d.wants(303, "GET", s.url+"/search?q="+id, "", html...)
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		s.d.wants(200, "GET", s.url+path, "")
	}
	s.stream()
}

// stream reads the beginning of what has no end.
func (s *describedSite) stream() {
	s.TB.Helper()
	url, _ := serveWith(s.TB.(*testing.T), ending{s.Ledger}, api.Options{})
	_, body := s.d.wants(200, "GET", url+"/v1/stream?from=0", "", "Last-Event-ID", "0")
	if !strings.Contains(body, "event: record\ndata: {") {
		s.TB.Errorf("the stream: %.200s", body)
	}
}

// An ending is a ledger whose stream ends: it can't be read after its first records.
type ending struct{ *ledger.Ledger }

func (e ending) Entries(ctx context.Context, from int64, limit int) ([]ledger.Entry, error) {
	if from > 5 {
		return nil, io.ErrUnexpectedEOF
	}
	return e.Ledger.Entries(ctx, from, min(limit, 3))
}

// absent asks for what is not there, or can't be asked for.
func (s *describedSite) absent() {
	s.TB.Helper()
	html := []string{"Accept", "text/html"}
	for _, path := range []string{"/v1/records/d-x", "/v1/records/d-x/receipt", "/v1/cases/nowhere", "/v1/cases/nowhere/file", "/v1/policies/none", "/v1/keys/none",
		"/v1/precedents?policy=none&clause=hosting&layer=hosting", "/v1/checkpoints?covers=0", "/tile/0/999", "/tile/0/000.p/255", "/static/none.css"} {
		s.d.wants(404, "GET", s.url+path, "")
	}
	for _, path := range []string{"/records/d-x", "/cases/nowhere", "/policies/none", "/keys/none", "/stats/clause?policy=none"} {
		s.d.wants(404, "GET", s.url+path, "", html...)
	}
	id := string(s.ids[record.TypeDecision])
	for _, path := range []string{"/v1/records?colour=red", "/v1/records?q=%22open", "/v1/records?cursor=x", "/v1/records?from=2026-02-30", "/v1/records?at_least=999999", "/v1/counts", "/v1/counts?by=colour", "/v1/precedents?policy=abuse&clause=hosting", "/v1/precedents?policy=abuse&clause=none&layer=hosting", "/v1/stream?from=-1",
		"/v1/cases/" + ledgertest.EveryCase + "?cursor=x", "/v1/policies?limit=0", "/v1/keys?limit=many", "/v1/due?at=tomorrow", "/v1/stats?at_least=999999", "/v1/stats?at_least=many", "/v1/stats.csv", "/v1/stats.csv?table=people", "/v1/checkpoints", "/v1/records/" + id + "/receipt?wait=now"} {
		s.d.wants(400, "GET", s.url+path, "")
	}
	for _, path := range []string{"/search?colour=red", "/cases/" + ledgertest.EveryCase + "?cursor=x", "/policies/abuse?version=9", "/void?cursor=x"} {
		s.d.wants(400, "GET", s.url+path, "", html...)
	}
	s.d.wants(409, "GET", s.url+"/v1/records/"+id+"/receipt?wait=witnessed", "")
}

// submissions sends records, good and bad.
func (s *describedSite) submissions() {
	s.TB.Helper()
	const path = "/v1/records"
	jose := []string{"Content-Type", "application/jose+json"}
	good := string(s.Sign(s.Decision("described"), "dora", "erik"))
	s.d.wants(201, "POST", s.url+path, good, jose...)
	s.d.wants(200, "POST", s.url+path, good, append(jose, "Accept", "application/json")...)
	s.d.wants(201, "POST", s.url+path, string(s.Sign(s.Decision("described-2"), "dora", "erik")), append(jose, "Accept", "application/json")...)
	s.d.wants(409, "POST", s.url+path+"?wait=witnessed", good, jose...)
	s.d.wants(400, "POST", s.url+path, "{}", jose...)
	s.d.wants(413, "POST", s.url+path, strings.Repeat(" ", record.MaxSize+1), jose...)
	s.d.wants(415, "POST", s.url+path, good, "Content-Type", "application/json")
	s.d.wants(422, "POST", s.url+path, string(s.Sign(s.Decision("short"), "dora")), jose...)
	s.d.wants(501, "POST", s.url+path, `{"record":`+good+`,"disclosures":[]}`, jose...)
	s.d.wants(401, "POST", s.url+path+"?void=log", good, jose...)
	s.d.wants(403, "POST", s.url+path+"?void=log", good, s.prove("fay", "POST", path+"?void=log", good)...)
	void := s.Decision("void")
	void.Grounds = nil
	b := string(s.Sign(void, "dora"))
	s.d.wants(201, "POST", s.url+path+"?void=log", b, append(s.prove("dora", "POST", path+"?void=log", b), "Accept", "application/json")...)
	s.d.wants(200, "POST", s.url+path+":batch", good+"\n{}\n", "Content-Type", "application/x-ndjson")
	s.d.wants(415, "POST", s.url+path+":batch", good, jose...)
}

// waiting keeps drafts.
func (s *describedSite) waiting() {
	s.TB.Helper()
	const path = "/v1/drafts"
	post := func(status int, name, b string) string {
		s.TB.Helper()
		_, body := s.d.wants(status, "POST", s.url+path, b, s.prove(name, "POST", path, b)...)
		return body
	}
	one := string(s.Sign(s.Decision("drafted"), "dora"))
	id := regexp.MustCompile(`draft-[A-Za-z0-9_-]{43}`).FindString(post(201, "dora", one))
	post(200, "dora", one)
	post(403, "erik", one)
	post(400, "dora", "{}")
	other := map[byte]string{'A': "B"}
	at := strings.Index(one, `"signature":"`) + len(`"signature":"`)
	post(422, "dora", one[:at]+cmp.Or(other[one[at]], "A")+one[at+1:])
	logged := s.Sign(s.Decision("drafted-too"), "dora", "erik")
	s.Submit(logged)
	post(409, "dora", string(logged))
	s.d.wants(401, "POST", s.url+path, one, "Content-Type", "application/jose+json")
	s.d.wants(413, "POST", s.url+path, strings.Repeat(" ", record.MaxSize+1), s.prove("dora", "POST", path, "")...)
	s.d.wants(415, "POST", s.url+path, one, append(s.prove("dora", "POST", path, one), "Content-Encoding", "gzip")...)
	both := `{"record":` + one + `,"disclosures":[]}`
	post(501, "dora", both)

	get := func(status int, path string) {
		s.TB.Helper()
		res, _ := s.d.wants(status, "GET", s.url+path, "", s.prove("erik", "GET", path, "")...)
		if tag := res.Header.Get("ETag"); tag != "" {
			s.d.wants(304, "GET", s.url+path, "", append(s.prove("erik", "GET", path, ""), "If-None-Match", tag)...)
		}
	}
	get(200, path)
	get(200, path+"/"+id)
	get(404, path+"/draft-none")
	s.d.wants(401, "GET", s.url+path, "")
	s.d.wants(401, "GET", s.url+path+"/"+id, "")
	s.d.wants(401, "DELETE", s.url+path+"/"+id, "")
	s.d.wants(404, "DELETE", s.url+path+"/draft-none", "", s.prove("dora", "DELETE", path+"/draft-none", "")...)
	s.d.wants(403, "DELETE", s.url+path+"/"+id, "", s.prove("fay", "DELETE", path+"/"+id, "")...)
	s.d.wants(200, "DELETE", s.url+path+"/"+id, "", s.prove("dora", "DELETE", path+"/"+id, "")...)
}

// witnesses asks a ledger that has some.
func (s *describedSite) witnesses() {
	s.TB.Helper()
	w, url := witnessedSite(s.TB.(*testing.T))
	w.Cosign("w1 w2")
	s.d.wants(200, "GET", url+"/v1/log", "")
	res, _ := s.d.wants(200, "GET", url+"/v1/checkpoints?covers=0", "")
	s.d.wants(304, "GET", url+"/v1/checkpoints?covers=0", "", "If-None-Match", res.Header.Get("ETag"))
	s.d.wants(200, "GET", url+"/v1/records/"+string(w.Policy)+"/receipt?wait=witnessed&deadline=5", "")
	s.d.wants(201, "POST", url+"/v1/records?wait=witnessed&deadline=1", string(enrolment(w, "gil")), "Content-Type", "application/jose+json")
	for i := range 256 { // a whole tile
		p := w.Decision(fmt.Sprintf("tile-%d", i))
		p.Action, p.Grounds = record.Decline, nil
		w.Submit(w.Sign(p, "dora", "erik"))
	}
	res, _ = s.d.wants(200, "GET", url+"/tile/0/000", "")
	s.d.wants(304, "GET", url+"/tile/0/000", "", "If-None-Match", res.Header.Get("ETag"))
	s.d.wants(200, "GET", url+"/tile/entries/000", "")
}

// floods asks for too much, everywhere, and for what a broken ledger can't answer.
func (s *describedSite) floods() {
	s.TB.Helper()
	t := s.TB.(*testing.T)
	url, _ := serveWith(t, s.Ledger, api.Options{Drafts: s.drafts, Index: followed(t, s.Ledger), Limits: api.Limits{AddressRate: 1e-6, AddressBurst: 1, Loopback: true}})
	for range 12 {
		if res, _, _ := s.d.do("GET", url+"/checkpoint", ""); res.StatusCode == http.StatusTooManyRequests {
			break
		}
	}
	var wg sync.WaitGroup
	for _, o := range s.d.operation {
		if o.Path == "/healthz" || o.Path == "/readyz" || o.Path == "/metrics" {
			continue
		}
		wg.Go(func() {
			path := regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(o.Path, "x")
			fields := []string{"Accept", "*/*"}
			if slices.ContainsFunc(o.Answers, func(a openapi.Answer) bool { return slices.Contains(a.Types, "text/html") }) {
				fields = []string{"Accept", "text/html"}
			}
			if path == "/" {
				fields = []string{"Accept", "text/plain"}
			}
			s.d.wants(429, o.Method, url+path, "", fields...)
		})
	}
	wg.Wait()
	broke, _ := serve(t, broken{fmt.Errorf("it is over: %w", ledger.ErrHalted)})
	s.d.wants(503, "GET", broke+"/readyz", "")
	s.d.wants(503, "GET", broke+"/v1/log", "")
	lost, _ := serve(t, broken{fmt.Errorf("gone: %w", fs.ErrPermission)})
	s.d.wants(500, "GET", lost+"/v1/log", "")
}

// TestRoutesDescribed: what the server routes is described, with its methods, and the
// reverse.
func TestRoutesDescribed(t *testing.T) {
	d := newDescribed(t, openapi.JSON)
	s := newDescribedSite(t, d)
	methods := map[string][]string{}
	for key := range d.operation {
		method, path, _ := strings.Cut(key, " ")
		methods[path] = append(methods[path], method)
	}
	routed := map[string]bool{}
	router := api.New(s.Ledger, api.Options{Drafts: s.drafts, Index: followed(t, s.Ledger)}).(*mux.Router)
	err := router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		switch path {
		case "/tile/":
			routed["/tile/{level}/{n}"], routed["/tile/{level}/{n}/{width}"] = true, true
		case "/static/":
			routed["/static/{file}"] = true
		default:
			routed[path] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := slices.Sorted(maps.Keys(routed)), slices.Sorted(maps.Keys(methods)); !slices.Equal(a, b) {
		t.Errorf("routed\n%q\ndescribed\n%q", a, b)
	}
	for path, described := range methods {
		target := s.url + regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(path, "x")
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			if method == "GET" && path == "/v1/stream" {
				continue // it does not end
			}
			res, _ := do(t, method, target, nil)
			if got, want := res.StatusCode != http.StatusMethodNotAllowed, slices.Contains(described, method); got != want {
				t.Errorf("%s %s: %d, described: %v", method, path, res.StatusCode, want)
			}
			if res.StatusCode == http.StatusMethodNotAllowed {
				for _, m := range described {
					if !strings.Contains(res.Header.Get("Allow"), m) {
						t.Errorf("%s %s: Allow %q, described %v", method, path, res.Header.Get("Allow"), described)
					}
				}
			}
		}
	}
}

// TestDescriptionMatters: a description that says something else is found out.
func TestDescriptionMatters(t *testing.T) {
	for name, change := range map[string][2]string{
		"a member that is not described": {`"overdue": {"type": "boolean"}`, `"late": {"type": "boolean"}`},
		"a member of another type":       {`"size": {"type": "integer", "description": "How many records the log had that the answer reflects."}`, `"size": {"type": "string"}`},
		"a member that is missing":       {`"required": ["size", "duties"]`, `"required": ["size", "duties", "why"]`},
	} {
		t.Run(name, func(t *testing.T) {
			altered := strings.Replace(string(openapi.JSON), change[0], change[1], 1)
			if altered == string(openapi.JSON) {
				t.Fatalf("the description has no %s", change[0])
			}
			d := newDescribed(t, []byte(altered))
			s := newDescribedSite(t, d)
			path := "/v1/due?at=2027-06-01T00:00:00Z"
			if strings.Contains(change[0], "reflects") {
				path = "/v1/records"
			}
			if _, body, wrong := d.do("GET", s.url+path, ""); len(wrong) == 0 {
				t.Errorf("nothing is wrong with %s", body)
			}
		})
	}
}
