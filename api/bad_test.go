package api_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// badRecord is what is answered to a bad record.
type badRecord struct {
	name   string
	bad    func(t *testing.T, s *site) []byte
	status int
	code   string
	words  string // in the problem
}

// decision signs a decision, changed, by the named.
func decision(change func(s *site, d *record.Decision), names ...string) func(*testing.T, *site) []byte {
	return func(_ *testing.T, s *site) []byte {
		d := s.Decision("bad-case")
		change(s, d)
		return s.Sign(d, names...)
	}
}

// changed takes a good record by one signer and changes its parts.
func changed(change func(t *testing.T, f *forged)) func(*testing.T, *site) []byte {
	return func(t *testing.T, s *site) []byte {
		d := s.Decision("bad-case")
		d.Grounds[0].Clause = "solo"
		return forge(t, s.Sign(d, "dora"), func(f *forged) { change(t, f) })
	}
}

func clause(name string) func(*site, *record.Decision) {
	return func(_ *site, d *record.Decision) { d.Grounds[0].Clause = name }
}

// spellings are records that are not spelled as they must be.
var spellings = []badRecord{
	{"body too large", func(*testing.T, *site) []byte { return bytes.Repeat([]byte("x"), record.MaxSize+1) }, 413, problem.TooLarge, "at most 65535 bytes"},
	{"not JSON", func(*testing.T, *site) []byte { return []byte("hello") }, 400, "record.malformed", "JSON"},
	{"empty", func(*testing.T, *site) []byte { return nil }, 400, "record.malformed", "JSON"},
	{"outer not canonical", func(_ *testing.T, s *site) []byte {
		return append(s.Sign(s.Decision("bad-case"), "dora", "erik"), '\n')
	}, 400, "record.malformed", "canonical JSON"},
	{"payload not canonical", changed(func(t *testing.T, f *forged) {
		f.Payload = replaced(t, f.Payload, `{"action"`, `{ "action"`)
		resign(f, "dora")
	}), 400, "record.malformed", "payload: member action"},
	{"header not canonical", changed(func(t *testing.T, f *forged) {
		f.Signatures[0].Protected = replaced(t, f.Signatures[0].Protected, `{"alg"`, `{ "alg"`)
		resign(f, "dora")
	}), 400, "record.malformed", "signature 1: member alg"},
	{"unknown member", changed(func(t *testing.T, f *forged) {
		f.Payload = replaced(t, f.Payload, `"v":1`, `"v":1,"x":1`)
		resign(f, "dora")
	}), 400, "record.malformed", "member x: found a member that is not known here"},
	{"bad base64", changed(func(_ *testing.T, f *forged) { f.Payload += "=" }), 400, "record.malformed", "strict base64url without padding"},
	{"wrong algorithm", changed(func(t *testing.T, f *forged) {
		f.Signatures[0].Protected = replaced(t, f.Signatures[0].Protected, `"EdDSA"`, `"none"`)
	}), 400, "record.malformed", "member alg"},
	{"alg only unprotected", changed(func(t *testing.T, f *forged) {
		f.Signatures[0].Protected = replaced(t, f.Signatures[0].Protected, `"alg":"EdDSA",`, ``)
		f.Signatures[0].Header = map[string]any{"alg": "EdDSA"}
		resign(f, "dora")
	}), 400, "record.malformed", "no unprotected header"},
	{"one signature twice", changed(func(_ *testing.T, f *forged) { f.Signatures = append(f.Signatures, f.Signatures[0]) }),
		400, "record.malformed", "one signature by each key"},
	{"ES256 with high s", func(t *testing.T, s *site) []byte { return highS(t, s.Sign(s.Decision("bad-case"), "dora")) },
		400, "record.malformed", "high s"},
	{"unknown type", changed(func(t *testing.T, f *forged) {
		f.Payload = replaced(t, f.Payload, `"type":"decision"`, `"type":"verdict"`)
		resign(f, "dora")
	}), 400, "type.unsupported", "want one of charter"},
	{"with disclosures", func(_ *testing.T, s *site) []byte {
		rec := s.Sign(s.Decision("bad-case"), "dora", "erik")
		return slices.Concat([]byte(`{"record":`), rec, []byte(`,"disclosures":["x"]}`))
	}, 501, problem.DisclosuresUnsupported, "disclosures"},
}

// unruly are records that are well spelled and that nobody may make.
var unruly = []badRecord{
	{"unknown key", decision(clause("solo"), "nobody"), 422, "key.unknown", "never enrolled"},
	{"signature of another text", changed(func(t *testing.T, f *forged) {
		f.Payload = replaced(t, f.Payload, `"high"`, `"low"`)
	}), 422, "signature.invalid", "does not hold"},
	{"revoked key", func(_ *testing.T, s *site) []byte {
		d := s.Decision("bad-case")
		d.Grounds[0].Clause = "solo"
		return s.Sign(d, "erik") // who loses his key in TestBadRecords
	}, 422, "key.revoked", "revoked"},
	{"another ledger's record", decision(func(_ *site, d *record.Decision) { d.Ledger = "other.example/1" }, "dora"),
		422, "ledger.mismatch", "another ledger"},
	{"clause not published", decision(clause("nothing"), "dora"), 422, "ground.unpublished", "not published in this ledger"},
	{"clause not yet in force", decision(func(s *site, d *record.Decision) {
		p := ledgertest.Abuse()
		p.Policy, p.EffectiveFrom = "later", s.Time(time.Hour)
		id := s.Submit(s.Sign(p, "ada", "cleo")).ID
		d.Grounds[0] = record.Ground{Policy: "later", Version: 1, Clause: "solo", Record: id}
	}, "dora"), 422, "ground.not_yet_effective", "not yet in force"},
	{"clause of another layer", decision(clause("security"), "dora", "dan"), 422, "ground.wrong_layer", "this kind of service"},
	{"too few holders", decision(clause("hosting"), "dora"), 422, "quorum.short", "Too few different people"},
	{"one holder with two keys", decision(clause("hosting"), "dora", "dora's other key"), 422, "quorum.short", "Too few different people"},
	{"signer without the role", decision(clause("solo"), "fay"), 422, "quorum.short", `"role.missing","text":"A signer does not hold the role`},
	{"wrong prev", decision(func(s *site, d *record.Decision) {
		d.Prev, d.Grounds[0].Clause = s.Policy, "solo"
	}, "dora"), 422, "case.prev_mismatch", "newest act of its case"},
	{"seen of another log", func(t *testing.T, s *site) []byte {
		d := s.Decision("bad-case")
		d.Ledger, d.Grounds[0].Clause = ledgertest.Origin, "solo"
		u, err := record.NewDraft(d)
		if err != nil {
			t.Fatal(err)
		}
		if u, err = u.Sign(ledgertest.Key("dora"), s.Now().Unix(), 1000, record.SeenTree(3, [32]byte{1})); err != nil {
			t.Fatal(err)
		}
		return u.Bytes()
	}, 422, "seen.mismatch", "saw another log"},
	{"dated ahead", func(_ *testing.T, s *site) []byte { return signedAt(s, time.Hour) }, 422, "admission.iat_ahead", "set the signer's clock"},
	{"draft too old", func(_ *testing.T, s *site) []byte { return signedAt(s, -31*24*time.Hour) }, 422, "admission.draft_expired", "sign again"},
}

// signedAt signs a decision at another time.
func signedAt(s *site, d time.Duration) []byte {
	s.Advance(d)
	defer s.Advance(-d)
	dec := s.Decision("bad-case")
	dec.Grounds[0].Clause = "solo"
	return s.Sign(dec, "dora")
}

// TestBadRecords sends every kind of bad record. Each is refused with its code and
// words, and leaves no trace.
func TestBadRecords(t *testing.T) {
	s := newSite(t)
	for holder, key := range map[string]string{"dan": "dan", "dora": "dora's other key"} {
		s.Submit(s.Sign(&record.KeyEnrol{Holder: holder, JWK: ledgertest.JWK(key), Roles: []record.Role{record.RoleDecider}}, "ada", "ben", key))
	}
	s.Submit(s.Sign(&record.KeyRevoke{KID: ledgertest.JWK("erik").KID(), Reason: record.Retired}, "ada", "ben"))
	for _, tt := range slices.Concat(spellings, unruly) {
		t.Run(tt.name, func(t *testing.T) {
			bad := tt.bad(t, s)
			before := s.Seen().Size
			res, body := s.post(t, string(bad))
			p := wantProblem(t, tt.name, res, body, tt.status, tt.code)
			if !strings.Contains(body, tt.words) {
				t.Errorf("no %q in %s", tt.words, body)
			}
			if tt.status == 400 || tt.status == 422 {
				if len(p.Codes) == 0 || p.Codes[0].Code != tt.code || !strings.HasSuffix(p.Codes[0].Text, ".") {
					t.Errorf("codes %v: the first is not %s with a sentence", p.Codes, tt.code)
				}
			}
			if got := s.Seen().Size; got != before {
				t.Errorf("the log has %d records, had %d", got, before)
			}
			id := record.IDOf(bad)
			if res, _ := do(t, "GET", s.url+"/v1/records/"+string(id), nil); res.StatusCode != http.StatusNotFound {
				t.Errorf("GET of the refused record: status %d", res.StatusCode)
			}
		})
	}
	s.Submit(s.Sign(s.Decision("good-case"), "dora", "dan")) // no number was used up by what was refused
}
