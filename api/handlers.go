package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/openapi"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Media types, and how long an answer may be kept.
const (
	typeJOSE  = "application/jose+json"
	typeJSON  = "application/json"
	typeText  = "text/plain; charset=utf-8"
	typeBytes = "application/octet-stream"

	immutable = "public, max-age=31536000, immutable"
	brief     = "public, max-age=2"
	fresh     = "no-cache"
)

// submit takes a record and answers with its bare receipt.
func (s *server) submit(w *response, r *http.Request) error {
	void, err := logVoid(r)
	if err != nil {
		return err
	}
	wait, err := s.deadline(r)
	if err != nil {
		return err
	}
	visit, err := s.visit(r)
	if err != nil {
		return err
	}
	defer visit.leave()
	out, err := s.submitted(w, r, ledger.Options{LogVoid: void, Checked: visit.checked})
	if err != nil {
		return visit.charge(err)
	}
	status := http.StatusCreated
	if out.Known {
		status = http.StatusOK
	}
	w.about = string(out.ID)
	witnessed := false
	if wait > 0 {
		visit.leave() // a place is for who sends a record
		witnessed = s.witnessedReceipt(w, r, &out, wait)
	}
	h := w.Header()
	h.Set("Location", "/v1/records/"+string(out.ID))
	h.Set("Cache-Control", "no-store")
	standingHeaders(h, out.Standing)
	if !prefersJSON(w, r, "text/plain") {
		return reply(w, status, typeText, out.Receipt)
	}
	return replyJSON(w, status, client.Submitted{Standing: standing(out.Standing), Known: out.Known, Witnessed: witnessed, Receipt: string(out.Receipt)})
}

// submitted reads a record and submits it.
func (s *server) submitted(w *response, r *http.Request, opt ledger.Options) (ledger.Outcome, error) {
	b, err := readRecord(w, r)
	if err != nil {
		return ledger.Outcome{}, err
	}
	w.about = string(record.IDOf(b))
	if opt.LogVoid {
		if err := s.mayLogVoid(r, b); err != nil {
			return ledger.Outcome{}, err
		}
	}
	return s.ledger.Submit(r.Context(), b, opt)
}

// logVoid reports whether a submission is to be logged as void if the rules
// refuse it: that needs a proof.
func logVoid(r *http.Request) (bool, error) {
	switch void := r.URL.Query()["void"]; {
	case len(void) == 0:
		return false, nil
	case len(void) > 1 || void[0] != "log":
		return false, fmt.Errorf("%w: void is %.40q, want log", errQuery, strings.Join(void, ","))
	}
	return true, hasProof(r)
}

// mayLogVoid checks that a request was made by one who signed the record in it.
func (s *server) mayLogVoid(r *http.Request, b []byte) error {
	kid, err := s.prove(r, b)
	if err != nil {
		return err
	}
	u, err := record.Parse(b)
	if err != nil {
		return nil // Submit says what is wrong with it
	}
	if !slices.ContainsFunc(u.Headers(), func(h record.Header) bool { return h.KID == kid }) {
		return errNotSigner
	}
	return nil
}

// readRecord reads the body of a submission.
func readRecord(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != typeJOSE || r.Header.Get("Content-Encoding") != "" {
		w.Header().Set("Accept-Post", typeJOSE)
		return nil, errMediaType
	}
	if r.ContentLength > record.MaxSize {
		return nil, errTooLarge
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, record.MaxSize)); err != nil {
		return nil, fmt.Errorf("%w: %w", errBody, err)
	}
	if withDisclosures(b.Bytes()) {
		return nil, errDisclosures
	}
	return b.Bytes(), nil
}

// withDisclosures reports whether b is a record with disclosures beside it:
// {"record":…,"disclosures":[…]}.
func withDisclosures(b []byte) bool {
	if bytes.HasPrefix(b, []byte(`{"payload":`)) {
		return false // as every record begins
	}
	var envelope struct {
		Record      jsontext.Value `json:"record"`
		Disclosures jsontext.Value `json:"disclosures"`
	}
	return json.Unmarshal(b, &envelope) == nil && envelope.Record != nil && envelope.Disclosures != nil
}

// record answers with the bytes of a record, or with a JSON object around them.
func (s *server) record(w *response, r *http.Request) error {
	id := record.ID(variable(r, "id"))
	e, err := s.ledger.Record(r.Context(), id)
	if err != nil {
		return err
	}
	w.about = string(id)
	standingHeaders(w.Header(), e.Standing)
	if prefersJSON(w, r, typeJOSE) {
		u, err := record.Parse(e.Record)
		if err != nil {
			return fmt.Errorf("record %s of the log: %w", id, err)
		}
		w.Header().Set("Cache-Control", brief)
		return replyTagged(w, r, client.Record{Standing: standing(e.Standing), Record: e.Record, Payload: u.PayloadBytes()})
	}
	return replyImmutable(w, r, typeJOSE, `"`+string(id)+`"`, e.Record)
}

// receipt answers with the full receipt of a record, in the newest witnessed
// checkpoint if there is one that covers it, and else in the newest one.
func (s *server) receipt(w *response, r *http.Request) error {
	id := record.ID(variable(r, "id"))
	e, err := s.ledger.Record(r.Context(), id)
	if err != nil {
		return err
	}
	wait, err := s.deadline(r)
	if err != nil {
		return err
	}
	if wait > 0 {
		if err := s.await(r, e.Index, wait); err != nil {
			return err
		}
		w.Header().Set(headerWitnessed, "yes")
	}
	b, err := s.ledger.Receipt(r.Context(), id)
	if err != nil {
		return err
	}
	w.about = string(id)
	standingHeaders(w.Header(), e.Standing)
	w.Header().Set("Cache-Control", fresh)
	if prefersJSON(w, r, "text/plain") {
		return replyTagged(w, r, client.Receipt{Standing: standing(e.Standing), Receipt: string(b)})
	}
	return replyConditional(w, r, typeText, tag(b), b)
}

// info answers what the ledger says of itself.
func (s *server) info(w *response, r *http.Request) error {
	i, err := s.ledger.Info(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", fresh)
	return replyTagged(w, r, s.infoObject(i))
}

// key answers what the ledger knows of a key.
func (s *server) key(w *response, r *http.Request) error {
	k, err := s.ledger.Key(r.Context(), variable(r, "kid"))
	if err != nil {
		return err
	}
	w.about = k.KID
	w.Header().Set("Cache-Control", fresh)
	return replyTagged(w, r, keyObject(k))
}

// keyObject is the JSON form of a key.
func keyObject(k ledger.Key) client.Key {
	answer := client.Key{
		KID: k.KID, JWK: k.JWK, Holder: k.Holder, Roles: k.Roles, EnrolledAt: k.Indexes,
		ValidUntil: k.ValidUntil, Recovery: k.Recovery, NextSeq: k.NextSeq,
	}
	if k.Revoked != nil {
		answer.Revoked = &client.Revocation{Index: k.Revoked.Index, Reason: k.Revoked.Reason, Since: k.Revoked.Since}
	}
	return answer
}

// openapi answers with the description of the API.
func (s *server) openapi(w *response, r *http.Request) error {
	w.Header().Set("Cache-Control", fresh)
	return replyConditional(w, r, typeJSON, tag(openapi.JSON), openapi.JSON)
}

// checkpoint answers with the newest witnessed head, or the newest signed one
// where no witnesses are asked.
func (s *server) checkpoint(w *response, r *http.Request) error {
	b, err := s.ledger.ReadFile(r.Context(), "checkpoint")
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", brief)
	return replyConditional(w, r, typeText, tag(b), b)
}

// tile answers with a tile or an entry bundle. What a path means is for the
// ledger to say; it takes no escapes.
func (s *server) tile(w *response, r *http.Request) error {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	b, err := s.ledger.ReadFile(r.Context(), path)
	if err != nil {
		return err
	}
	return replyImmutable(w, r, typeBytes, `"`+path+`"`, b)
}

// healthz says that the process answers.
func (s *server) healthz(w *response, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	return reply(w, http.StatusOK, typeText, []byte("ok\n"))
}

// readyz says whether records are taken.
func (s *server) readyz(w *response, _ *http.Request) error {
	if err := s.ledger.Ready(); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return reply(w, http.StatusOK, typeText, []byte("ready\n"))
}

// index says what this is.
func (s *server) index(w *response, r *http.Request) error {
	i, err := s.ledger.Info(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", brief)
	b := fmt.Appendf(nil, "Docket ledger %s, %d records\n%s", i.Origin, i.Size, indexText)
	return replyConditional(w, r, typeText, tag(b), b)
}

// standing is the JSON form of a standing.
func standing(s rules.Standing) client.Standing {
	word := client.Void
	if s.Effective() {
		word = client.Effective
	}
	return client.Standing{ID: s.ID, Index: s.Index, Standing: word, Codes: reasons(s.Codes), Findings: reasons(s.Findings)}
}

// standingHeaders says the same where the body is something else.
func standingHeaders(h http.Header, s rules.Standing) {
	j := standing(s)
	h.Set("Docket-Id", string(j.ID))
	h.Set("Docket-Index", strconv.FormatInt(j.Index, 10))
	h.Set("Docket-Standing", j.Standing)
	if len(s.Codes) > 0 {
		h.Set("Docket-Codes", list(s.Codes))
	}
	if len(s.Findings) > 0 {
		h.Set("Docket-Findings", list(s.Findings))
	}
}

func list(codes []rules.Code) string {
	words := make([]string, len(codes))
	for i, c := range codes {
		words[i] = string(c)
	}
	return strings.Join(words, ", ")
}

func replyJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	return reply(w, status, typeJSON, append(b, '\n'))
}

// replyImmutable writes what never changes under its path.
func replyImmutable(w http.ResponseWriter, r *http.Request, contentType, etag string, body []byte) error {
	w.Header().Set("Cache-Control", immutable)
	return replyConditional(w, r, contentType, etag, body)
}

// replyTagged writes JSON with a tag of its content.
func replyTagged(w http.ResponseWriter, r *http.Request, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	b = append(b, '\n')
	return replyConditional(w, r, typeJSON, tag(b), b)
}

// tag returns the entity tag of a content.
func tag(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// replyConditional writes a content, unless the client has it.
func replyConditional(w http.ResponseWriter, r *http.Request, contentType, etag string, body []byte) error {
	w.Header().Set("ETag", etag)
	if has(r.Header.Values("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return reply(w, http.StatusOK, contentType, body)
}

// has reports whether a tag is in the fields of If-None-Match, compared as weak
// (RFC 9110, Section 13.1.2). No tag of ours has a comma in it.
func has(fields []string, etag string) bool {
	for _, field := range fields {
		for one := range strings.SplitSeq(field, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(etag, "W/") {
				return true
			}
		}
	}
	return false
}
