// Package problem has what the HTTP API answers instead of what was asked for: a
// problem as in RFC 9457, application/problem+json. Server and client share it.
//
//	{"type":"about:blank","title":"Unprocessable Entity","status":422,
//	 "detail":"refused: ground.none, quorum.short","code":"ground.none",
//	 "codes":[{"code":"ground.none","text":"No published rule …"},
//	          {"code":"quorum.short","text":"Too few different people signed."}],
//	 "instance":"urn:uuid:0b4d0c0e-…"}
//
// The code is stable and the member to tell problems by; type is always
// about:blank. instance is the id of the request in the server's log.
package problem

import (
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
)

// ContentType is the media type of a problem.
const ContentType = "application/problem+json"

// The codes of the API itself. A record that is refused has those of packages
// record, rules and ledger.
const (
	NotFound               = "request.not_found"          // 404: no such path, record, key or tile
	MethodNotAllowed       = "request.method_not_allowed" // 405: see Allow
	TooLarge               = "request.too_large"          // 413
	MediaType              = "request.media_type"         // 415
	Incomplete             = "request.incomplete"         // 400: the body ended early, or came too slowly
	DisclosuresUnsupported = "disclosure.unsupported"     // 501: send the record alone
	BadQuery               = "request.query"              // 400: a parameter of the query is wrong
	Forbidden              = "request.forbidden"          // 403: not for this key
	RateLimit              = "request.rate_limit"         // 429: see Retry-After
	ProofMissing           = "proof.missing"              // 401: send a proof of an enrolled key (DPoP)
	ProofInvalid           = "proof.invalid"              // 401: it does not hold, or not for this request now
	ProofReplayed          = "proof.replayed"             // 401: make a new one for each request
	ProofKey               = "proof.key"                  // 401: the key is not in force here
	DraftLogged            = "draft.logged"               // 409: what the draft states is in the log
	DraftLimit             = "draft.limit"                // 429: submit or delete some first
	VoidLimit              = "void.limit"                 // 429: no more void records today
	NoWitnesses            = "witness.none"               // 409: this ledger asks no witnesses
	WitnessPending         = "witness.pending"            // 503: logged, and too few have cosigned it yet
	Busy                   = "ledger.busy"                // 503: again in a moment
	Behind                 = "ledger.behind"              // 503: this server will have it in a moment
	Unreachable            = "ledger.unreachable"         // 503: the log itself can't be reached; nothing was recorded
	Stopping               = "ledger.stopping"            // 503: again when it is back
	Halted                 = "ledger.halted"              // 503: the operator has to look
	StorageFull            = "storage.full"               // 503: the operator has to make room
	Internal               = "internal"                   // 500: the server's log has more under instance
)

// A Problem is an answer of the API that says why there is no other. As an error
// it wraps fs.ErrNotExist if its status is 404.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail says in words what is wrong with this request.
	Detail string `json:"detail,omitempty"`
	// Code names the problem. For a record that is refused it is the first
	// of Codes. It is empty if something else than a ledger answered.
	Code string `json:"code,omitempty"`
	// Codes are all the reasons why a record is refused.
	Codes []Reason `json:"codes,omitempty"`
	// Near is what exists and is spelled almost like what was not found.
	Near []Near `json:"near,omitempty"`
	// Instance is the id of the request, as a URI.
	Instance string `json:"instance,omitempty"`

	// RetryAfter is how long to wait before trying again, 0 if that won't
	// help. It travels in the header Retry-After, in seconds.
	RetryAfter time.Duration `json:"-"`
}

// A Reason is a code with its sentence for a layman.
type Reason struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// A Near is something that exists.
type Near struct {
	// Kind is "record", "case" or "policy", Value its id or name.
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// New returns a problem with a status, a code and a detail in words.
func New(status int, code, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

// Marshal returns p as JSON.
func (p *Problem) Marshal() ([]byte, error) { return json.Marshal(p) }

// Parse parses a problem that came with a status. If b is none, the problem says
// only what the status says: some other server answered. Characters that a
// terminal would obey are replaced.
func Parse(status int, contentType string, b []byte) *Problem {
	var p Problem
	mediaType, _, _ := strings.Cut(contentType, ";")
	if mediaType != ContentType || json.Unmarshal(b, &p) != nil || p.Status != status {
		return New(status, "", "")
	}
	for _, s := range []*string{&p.Type, &p.Title, &p.Detail, &p.Code, &p.Instance} {
		*s = printable(*s)
	}
	for i, n := range p.Near {
		p.Near[i] = Near{Kind: printable(n.Kind), Value: printable(n.Value)}
	}
	for i, r := range p.Codes {
		p.Codes[i] = Reason{Code: printable(r.Code), Text: printable(r.Text)}
	}
	return &p
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func (p *Problem) Error() string {
	s := p.Code
	if s == "" {
		s = fmt.Sprintf("the server answered %d %s", p.Status, p.Title)
	}
	if p.Detail != "" && p.Detail != s {
		s += ": " + strings.TrimPrefix(p.Detail, s+": ")
	}
	if p.Code == Internal && p.Instance != "" {
		s += " (" + p.Instance + ")"
	}
	return s
}

// Is reports whether p means target: fs.ErrNotExist for a 404.
func (p *Problem) Is(target error) bool {
	return target == fs.ErrNotExist && p.Status == http.StatusNotFound
}
