package verify_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/tile"
)

var auditSize = flag.Int("records", 20_000, "how many records BenchmarkAudit audits")

// benchLog is a log of decisions of about a kilobyte with one signature, each of
// a case of its own, below a charter.
type benchLog struct {
	files   map[string][]byte
	policy  *verify.Policy
	records [][]byte
	ring    record.Keyring
}

// ReadFile implements verify.Source.
func (l *benchLog) ReadFile(_ context.Context, path string) ([]byte, error) {
	if b, ok := l.files[path]; ok {
		return b, nil
	}
	return nil, fs.ErrNotExist
}

var benchLogs sync.Map // size -> *benchLog

func newBenchLog(b *testing.B, size int) *benchLog {
	b.Helper()
	if l, ok := benchLogs.Load(size); ok {
		return l.(*benchLog)
	}
	l := &benchLog{files: map[string][]byte{}}
	tree := &benchTree{}
	charter := benchCharter(b)
	l.ring = record.NewKeyring(charter.Payload())
	tree.add(b, charter.Bytes())
	l.records = append(l.records, charter.Bytes())
	model, seq, key := benchDecision(), int64(2), benchKey("dan")
	for i := 1; i < size; i++ {
		model.Case = fmt.Sprintf("case-%d", i)
		draft, err := record.NewDraft(model)
		if err != nil {
			b.Fatal(err)
		}
		seen := record.SeenTree(int64(i), tree.root(b))
		if draft, err = draft.Sign(key, model.DecidedAt.Unix(), seq, seen); err != nil {
			b.Fatal(err)
		}
		seq++
		tree.add(b, draft.Bytes())
		l.records = append(l.records, draft.Bytes())
	}
	l.publish(b, tree)
	benchLogs.Store(size, l)
	return l
}

func benchKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// benchCharter is of a ledger without witnesses in which one decider declines.
func benchCharter(b *testing.B) *record.Unverified {
	jwk := func(name string) record.JWK {
		k, err := record.NewJWK(benchKey(name).Public())
		if err != nil {
			b.Fatal(err)
		}
		return k
	}
	u, err := record.NewDraft(&record.Charter{
		Common:   record.Common{Ledger: origin},
		Founders: []record.Founder{{Holder: "dan", JWK: jwk("dan"), Roles: []record.Role{record.RoleDecider, record.RoleRegistrar, record.RoleAdministration}}},
		Terms: record.Terms{AdministrationQuorum: 1, RegistrarQuorum: 1, PolicyQuorum: 1, DefaultQuorum: 1, Contact: "x", DecideTolerance: 24,
			DraftLife: 720, Lang: "en", LogKeys: []string{historyLogKey(b).String()}, Operator: "x", Rules: 1, Tolerance: 300,
			Recovery:       record.Recovery{Keys: []record.JWK{jwk("safe")}, Quorum: 1},
			SubjectKeyHash: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", Witnesses: []string{"quorum none"}},
	})
	for _, name := range []string{"dan", "safe"} {
		if err == nil {
			u, err = u.Sign(benchKey(name), 1790000000, 1, record.SeenNothing)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
	return u
}

func benchDecision() *record.Decision {
	return &record.Decision{
		Common: record.Common{Ledger: origin}, Action: record.Decline, Automation: record.Automation{Decision: "none", Detection: "manual"},
		DecidedAt: 1790000000, EffectiveAt: 1790000000, Facts: strings.Repeat("facts ", 20), Lang: "en", Reasons: strings.Repeat("reasons ", 15),
		ServiceLayer: "hosting", Subject: record.Subject{Ref: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", Type: "domain"},
		Trigger: record.Trigger{Kind: "own_initiative"},
	}
}

// benchTree keeps the hashes of a tree as tlog stores them.
type benchTree struct {
	size   int64
	stored []tlog.Hash
}

func (t *benchTree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = t.stored[x]
	}
	return out, nil
}

func (t *benchTree) add(b *testing.B, e []byte) {
	hashes, err := tlog.StoredHashes(t.size, e, t)
	if err != nil {
		b.Fatal(err)
	}
	t.stored = append(t.stored, hashes...)
	t.size++
}

func (t *benchTree) root(b *testing.B) tlog.Hash {
	root, err := tlog.TreeHash(t.size, t)
	if err != nil {
		b.Fatal(err)
	}
	return root
}

func (l *benchLog) publish(b *testing.B, tree *benchTree) {
	for id := range tile.All(tree.size) {
		var data []byte
		for i := range int64(id.Width) {
			n := id.N*tile.FullWidth + i
			if id.Level == tile.Entries {
				var err error
				if data, err = tile.AppendEntry(data, l.records[n]); err != nil {
					b.Fatal(err)
				}
				continue
			}
			h := tree.stored[tlog.StoredHashIndex(id.Level*tile.Height, n)]
			data = append(data, h[:]...)
		}
		l.files[id.Path()] = data
	}
	key := historyLogKey(b)
	cp := verify.Checkpoint{Origin: origin, Size: tree.size, Root: tree.root(b)}
	l.files["checkpoint"] = signNote(b, cp.Text(), key)
	l.policy = parsePolicy(b, "log "+key.String(), "quorum none")
}

// BenchmarkAudit audits a log and compares with what go-jose's checks of its
// signatures alone would take on all cores, measured in the same run:
//
//	go test ./verify -run '^$' -bench Audit -records 200000 -benchtime 1x
func BenchmarkAudit(b *testing.B) {
	l := newBenchLog(b, *auditSize)
	check, checkCPU := oneCheck(b, l)
	b.ReportAllocs()
	for b.Loop() {
		start, before := time.Now(), cpu(b)
		sum, err := verify.Audit(context.Background(), l, l.policy, verify.AuditOptions{})
		if err != nil || sum.Broken > 0 || sum.Effective < int64(*auditSize) {
			b.Fatalf("%+v, %v", sum, err)
		}
		rate := float64(sum.Entries) / time.Since(start).Seconds()
		bound := float64(runtime.GOMAXPROCS(0)) / check.Seconds()
		b.ReportMetric(rate, "records/s")
		b.ReportMetric(bound, "checks/s")
		b.ReportMetric(rate/bound, "ratio")
		// The same in processor time, which other work beside it does not
		// change as much.
		b.ReportMetric(checkCPU.Seconds()*float64(sum.Entries)/(cpu(b)-before).Seconds(), "cpu-ratio")
	}
	b.ReportMetric(float64(resident())/(1<<20), "MB-resident")
}

// oneCheck is how long go-jose takes to parse a record and to check its
// signature, on one core: as BenchmarkCeiling of package ledger has it.
func oneCheck(b *testing.B, l *benchLog) (took, processor time.Duration) {
	const n = 4000
	key := benchKey("dan").Public()
	start, before := time.Now(), cpu(b)
	for _, e := range l.records[len(l.records)-n:] {
		jws, err := jose.ParseSignedJSON(string(e), []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256})
		if err != nil {
			b.Fatal(err)
		}
		if _, _, _, err := jws.VerifyMulti(key); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start) / n, (cpu(b) - before) / n
}

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the memory of this process that is in use now, in bytes; the log
// itself is part of it.
func resident() (bytes int64) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int64
	fmt.Sscan(string(b), &size, &pages)
	return pages * int64(os.Getpagesize())
}

// BenchmarkFold is the rules alone, in memory.
func BenchmarkFold(b *testing.B) {
	l := newBenchLog(b, *auditSize)
	checked := make([]record.Checked, len(l.records))
	for i, e := range l.records {
		var err error
		if checked[i], err = record.Open(e, l.ring); err != nil {
			b.Fatal(err)
		}
	}
	signed, err := l.policy.Open(l.files["checkpoint"])
	if err != nil {
		b.Fatal(err)
	}
	roots := rootsOf{signed.Tree(l)}
	for _, c := range checked { // the roots are looked up outside of the fold
		for _, h := range c.Headers() {
			if _, err := roots.Root(h.Seen.Size); err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		fold := rules.New(rules.NewMemory(), roots, verify.OpenTimemark)
		start := time.Now()
		for i, c := range checked {
			if s, err := fold.Apply(int64(i), c); err != nil || !s.Effective() {
				b.Fatalf("%+v, %v", s, err)
			}
		}
		b.ReportMetric(float64(time.Since(start).Microseconds())/float64(len(checked)), "µs/record")
	}
}

type rootsOf struct{ tree *verify.Tree }

func (r rootsOf) Root(size int64) (tlog.Hash, error) { return r.tree.Root(context.Background(), size) }
