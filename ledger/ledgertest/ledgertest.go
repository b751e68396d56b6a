// Package ledgertest makes small real ledgers for tests and benchmarks: an
// embedded tree, a state and a guard in a temporary directory, a charter by
// three founders, holders with roles, and a policy.
package ledgertest

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/tile"
)

// Origin is the origin of every ledger of this package.
const Origin = "ledger.test.example/2026"

// Start is the time at which a World begins.
var Start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// A World is a ledger with people. The founders ada, ben and cleo are
// registrars, administrators and policy owners (quorum 2); dora and erik decide,
// fay and gus ratify; rita and rolf are recovery keys. Its clock stands still
// until Advance.
type World struct {
	TB     testing.TB
	Dir    string
	Ledger *ledger.Ledger
	// Config is what Ledger was opened with.
	Config ledger.Config
	// Policy is the id of the record that published the policy "abuse".
	Policy record.ID
	// DiskFull lets the disk look full.
	DiskFull atomic.Bool

	mu   sync.Mutex
	keys map[string]ed25519.PrivateKey
	seq  map[string]int64
	now  time.Time
	tree *embedded.Log
	skey note.Signer
	vkey string

	witnessed bool
	spoil     func(record.Payload) // changes what is signed, if it is not nil
}

// Key returns the key of a name; every name has one.
func Key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("ledgertest " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// JWK returns the public key of a name.
func JWK(name string) record.JWK {
	k, err := record.NewJWK(Key(name).Public())
	if err != nil {
		panic(err)
	}
	return k
}

// New returns a World with charter, holders and policy logged. Its directory is
// removed, and the ledger closed, when the test ends. change may be nil.
func New(tb testing.TB, change func(*ledger.Config)) *World {
	tb.Helper()
	return begin(tb, false, change, nil)
}

// begin returns a new World. change and spoil may be nil.
func begin(tb testing.TB, witnessed bool, change func(*ledger.Config), spoil func(record.Payload)) *World {
	tb.Helper()
	w := &World{TB: tb, Dir: tb.TempDir(), keys: map[string]ed25519.PrivateKey{}, seq: map[string]int64{}, now: Start, witnessed: witnessed, spoil: spoil}
	skey, vkey, err := note.GenerateKey(deterministic("log key"), Origin)
	w.must(err)
	w.skey, err = note.NewSigner(skey)
	w.must(err)
	w.vkey = vkey
	w.openParts()
	if change != nil {
		change(&w.Config)
	}
	founders := []string{"ada", "ben", "cleo", "rita", "rolf"}
	if witnessed {
		founders = append(founders, "max")
	}
	_, err = ledger.Init(context.Background(), w.Config, w.Sign(w.Charter(), founders...))
	w.must(err)
	w.OpenLedger()
	tb.Cleanup(w.Close)
	for _, h := range []struct {
		name string
		role record.Role
	}{{"dora", record.RoleDecider}, {"erik", record.RoleDecider}, {"fay", record.RoleRatifier}, {"gus", record.RoleRatifier}} {
		w.Submit(w.Sign(&record.KeyEnrol{Holder: h.name, JWK: JWK(h.name), Roles: []record.Role{h.role}}, "ada", "ben", h.name))
	}
	w.Policy = w.Submit(w.Sign(Abuse(), "ada", "cleo")).ID
	return w
}

// deterministic is a reader for keys that are the same in every run.
type deterministic string

func (d deterministic) Read(p []byte) (int, error) {
	h := sha256.Sum256([]byte(d))
	return copy(p, h[:]), nil
}

// openParts opens what a Config needs.
func (w *World) openParts() {
	ctx := context.Background()
	log, err := embedded.Open(ctx, embedded.Config{Dir: filepath.Join(w.Dir, "log"), Free: w.free})
	w.must(err)
	st, err := state.Open(state.Config{Dir: filepath.Join(w.Dir, "state")})
	w.must(err)
	w.tree = log
	w.Config.Log, w.Config.State, w.Config.Signer, w.Config.VKey = log, st, w.skey, w.vkey
	w.Config.Guard = filepath.Join(w.Dir, "guard")
	w.Config.Now = w.Now
	if w.witnessed {
		w.witnessConfig()
	}
}

func (w *World) free() (uint64, error) {
	if w.DiskFull.Load() {
		return 0, nil
	}
	return 1 << 40, nil
}

// OpenLedger opens the ledger from Config.
func (w *World) OpenLedger() {
	w.TB.Helper()
	l, err := ledger.Open(context.Background(), w.Config)
	w.must(err)
	w.Ledger = l
}

// Close closes all; it may be called again.
func (w *World) Close() {
	w.TB.Helper()
	if w.Ledger == nil {
		return
	}
	w.must(w.Ledger.Close())
	w.CloseParts()
	w.Ledger = nil
}

// CloseParts closes the tree and the state.
func (w *World) CloseParts() {
	w.TB.Helper()
	w.must(w.Config.State.Close())
	w.must(w.tree.Close())
}

// OpenParts opens the tree and the state again, from Dir.
func (w *World) OpenParts() { w.openParts() }

// Reopen closes all and opens it again.
func (w *World) Reopen() {
	w.TB.Helper()
	w.Close()
	w.openParts()
	w.OpenLedger()
}

func (w *World) must(err error) {
	w.TB.Helper()
	if err != nil {
		w.TB.Fatal(err)
	}
}

// Now is the clock of the World.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Advance moves the clock.
func (w *World) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Time returns the time of the World's clock plus d.
func (w *World) Time(d time.Duration) record.Time { return record.Time(w.Now().Add(d).Unix()) }

// TrustPolicy is the trust policy file of the World.
func (w *World) TrustPolicy() []byte { return []byte("log " + w.vkey + "\nquorum none\n") }

// VKey is the log's verifier key.
func (w *World) VKey() string { return w.vkey }

// Charter returns the charter of the World.
func (w *World) Charter() *record.Charter {
	founder := func(name string) record.Founder {
		return record.Founder{Holder: name, JWK: JWK(name),
			Roles: []record.Role{record.RoleAdministration, record.RoleRegistrar, record.RolePolicy}}
	}
	founders, witnesses := []record.Founder{founder("ada"), founder("ben"), founder("cleo")}, []string{rules.NoWitnesses}
	if w.witnessed {
		founders = append(founders, record.Founder{Holder: "max", JWK: JWK("max"), Roles: []record.Role{record.RoleMachine}})
		witnesses = WitnessLines(2, WitnessNames...)
	}
	hash := sha256.Sum256([]byte("subject key"))
	return &record.Charter{
		Founders: founders,
		Terms: record.Terms{
			AdministrationQuorum: 2, RegistrarQuorum: 2, PolicyQuorum: 2, DefaultQuorum: 2,
			Contact: "ledger@test.example", DecideTolerance: 24, DraftLife: 720, Rules: rules.Version,
			HistoricUntil: w.Time(90 * 24 * time.Hour), Lang: "en", LogKeys: []string{w.vkey}, Operator: "Test Provider",
			Recovery:       record.Recovery{Keys: []record.JWK{JWK("rita"), JWK("rolf")}, Quorum: 2},
			SubjectKeyHash: base64.RawURLEncoding.EncodeToString(hash[:]), Tolerance: 300, Witnesses: witnesses,
		}}
}

// Abuse returns the policy "abuse": its clause hosting permits everything on
// hosting by two deciders, solo the same by one, its clause security permits to decline and, in an
// emergency, to restrict by one.
func Abuse() *record.PolicyPublish {
	two := record.Quorum{Role: record.RoleDecider, Count: 2}
	return &record.PolicyPublish{
		Policy: "abuse", Version: 1, Title: "Abuse policy", Lang: "en", EffectiveFrom: record.Time(Start.Unix()),
		Clauses: []record.Clause{
			{Clause: "hosting", Title: "Hosting", Text: "Illegal content may be removed.", Quorum: two,
				Permits: []record.Permit{{Actions: record.Actions, ServiceLayers: []record.ServiceLayer{"hosting"}}}},
			{Clause: "solo", Title: "Hosting, small cases", Text: "One decider may act.",
				Quorum:  record.Quorum{Role: record.RoleDecider, Count: 1},
				Permits: []record.Permit{{Actions: record.Actions, ServiceLayers: []record.ServiceLayer{"hosting"}}}},
			{Clause: "security", Title: "Security services", Text: "They are not ended over content.", Quorum: two,
				Permits: []record.Permit{{Actions: []record.Action{record.Decline, record.Restrict}, ServiceLayers: []record.ServiceLayer{"security"}}},
				Emergency: &record.Emergency{Harms: []string{"threat-to-life"}, Quorum: record.Quorum{Role: record.RoleDecider, Count: 1},
					Ratifiers: record.Quorum{Role: record.RoleRatifier, Count: 2}, RatifyWithin: 72}},
		},
	}
}

// Decision returns a decision under the clause hosting that opens a case.
func (w *World) Decision(name string) *record.Decision {
	return &record.Decision{
		Action: record.Suspend, Automation: record.Automation{Decision: "none", Detection: "manual"}, Case: name,
		DecidedAt: w.Time(0), EffectiveAt: w.Time(0), Facts: "A page offered malware for download.",
		Grounds: []record.Ground{{Policy: "abuse", Version: 1, Clause: "hosting", Record: w.Policy}}, Lang: "en",
		Reasons: "The operator did not answer.", ServiceLayer: "hosting", Severity: "high",
		Subject: record.Subject{Ref: Ref(name), Type: "domain"}, Trigger: record.Trigger{Kind: "notice"},
	}
}

// Ref returns a subject reference for a name.
func Ref(name string) string {
	h := sha256.Sum256([]byte("subject " + name))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// Seen returns the newest checkpoint as a signer names it.
func (w *World) Seen() record.Seen {
	w.TB.Helper()
	if w.Ledger == nil {
		return record.SeenNothing
	}
	info, err := w.Ledger.Info(context.Background())
	w.must(err)
	root, err := base64.StdEncoding.DecodeString(info.Root)
	w.must(err)
	return record.SeenTree(info.Size, tlog.Hash(root))
}

// Sign returns the record that states p, signed by the named now, each with its
// next seq and the newest checkpoint. It fills in the ledger. It may be used
// concurrently.
func (w *World) Sign(p record.Payload, names ...string) []byte {
	w.TB.Helper()
	if p.Head().Ledger == "" {
		p.Head().Ledger = Origin
	}
	if w.spoil != nil {
		w.spoil(p)
	}
	u, err := record.NewDraft(p)
	w.must(err)
	seen := w.Seen()
	for _, name := range names {
		u, err = u.Sign(crypto.Signer(Key(name)), w.Now().Unix(), w.next(name), seen)
		w.must(err)
	}
	return u.Bytes()
}

func (w *World) next(name string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq[name]++
	return w.seq[name]
}

// Submit submits a record that must be logged as effective.
func (w *World) Submit(b []byte) ledger.Outcome {
	w.TB.Helper()
	out, err := w.Ledger.Submit(context.Background(), b, ledger.Options{})
	if err != nil {
		w.TB.Fatalf("submit: %v", err)
	}
	if !out.Standing.Effective() {
		w.TB.Fatalf("submit: void: %v", out.Standing.Codes)
	}
	return out
}

// Files returns the log as a static folder of c2sp.org/tlog-tiles files.
func (w *World) Files() map[string][]byte {
	w.TB.Helper()
	info, err := w.Ledger.Info(context.Background())
	w.must(err)
	return CopyLog(w.TB, w.Ledger, info.Size)
}

// CopyLog reads all files of the log of a size from a source.
func CopyLog(tb testing.TB, src verify.Source, size int64) map[string][]byte {
	tb.Helper()
	files := map[string][]byte{}
	read := func(path string) {
		b, err := src.ReadFile(context.Background(), path)
		if err != nil {
			tb.Fatalf("copy %s: %v", path, err)
		}
		files[path] = b
	}
	read("checkpoint")
	for id := range tile.All(size) {
		read(id.Path())
	}
	return files
}
