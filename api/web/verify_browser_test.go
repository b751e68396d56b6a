//go:build browser

package web_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/mldsa"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// The second implementation, static/verify.js, is held to the first one: Go makes
// the files, says what it thinks of each, and Node asks the other (in
// testdata/verify/verify.test.mjs).

// A receiptCase is a receipt and what Go says of it.
type receiptCase struct {
	Name     string   `json:"name"`
	File     []byte   `json:"file"`
	Record   []byte   `json:"record,omitempty"` // beside a bare receipt
	Policies []string `json:"policies"`
	// Want is "holds", "fails" or "not checked", the last for what wraps
	// verify.ErrNotShown.
	Want string `json:"want"`
	Why  string `json:"why,omitempty"`
	Told *told  `json:"told,omitempty"`
}

// told is what a receipt that holds tells.
type told struct {
	ID        record.ID `json:"id"`
	Origin    string    `json:"origin"`
	Index     int64     `json:"index"`
	Size      int64     `json:"size"`
	Full      bool      `json:"full"`
	Codes     []string  `json:"codes"`
	Signers   []signer  `json:"signers"`
	Clauses   []clause  `json:"clauses"`
	NotBefore bound     `json:"notBefore"`
	Logged    bound     `json:"logged"`
	NotAfter  bound     `json:"notAfter"`
	Cosigned  []string  `json:"cosigned"`
}

type bound struct {
	At     int64 `json:"at"`
	Proven bool  `json:"proven"`
}

type signer struct {
	KID      string        `json:"kid"`
	Holder   string        `json:"holder"`
	Roles    []record.Role `json:"roles"`
	Enrolled int64         `json:"enrolled"`
	Recovery bool          `json:"recovery"`
	Filer    bool          `json:"filer"`
}

type clause struct {
	Record    record.ID `json:"record"`
	Clause    string    `json:"clause"`
	Title     string    `json:"title"`
	Published int64     `json:"published"`
	PublicBy  bound     `json:"publicBy"`
}

// A sweep changes one byte after the other: bit i%7 of byte i. Holds are the
// places where Go takes the file all the same.
type sweep struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind"` // receipt or policy
	File     []byte   `json:"file"`
	Policies []string `json:"policies,omitempty"`
	Step     int      `json:"step"`
	End      int      `json:"end"`
	Holds    []int    `json:"holds"`
}

type recordCase struct {
	Name string          `json:"name"`
	File []byte          `json:"file"`
	Want string          `json:"want"` // a code, or ""
	Keys json.RawMessage `json:"keys"` // kid -> JWK
}

type treeCase struct {
	Size  int64             `json:"size"`
	Roots map[string]string `json:"roots"` // by size
	Files map[string][]byte `json:"files"`
}

// vectors is what Node is given.
type vectors struct {
	Receipts []receiptCase `json:"receipts"`
	Sweeps   []sweep       `json:"sweeps"`
	Records  []recordCase  `json:"records"`
	Tree     treeCase      `json:"tree"`
}

// otherPolicy are receipts that were taken apart under another policy already.
var otherPolicy = regexp.MustCompile(`policy [1-9]$`)

func TestBrowserVerifier(t *testing.T) {
	var v vectors
	v.Receipts = slices.Concat(goldenCases(t), worldCases(t), witnessedCases(t), keyCases(t), peerCases(t))
	for _, c := range slices.Clone(v.Receipts) {
		if c.Want == "holds" && c.Record == nil && !otherPolicy.MatchString(c.Name) {
			v.Receipts = append(v.Receipts, mutations(t, c)...)
		}
	}
	v.Sweeps = sweeps(t, v.Receipts)
	v.Records = recordCases(t)
	v.Tree = tree(t)
	counts := map[string]int{}
	for _, c := range v.Receipts {
		counts[c.Want]++
	}
	t.Logf("%d receipts %v, %d records, %d sweeps", len(v.Receipts), counts, len(v.Records), len(v.Sweeps))
	runNode(t, "verify.test.mjs", v)
}

// runNode runs a test of testdata/verify with what it is given, beside the modules
// that the site serves.
func runNode(t *testing.T, name string, given any) {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	modules, err := filepath.Glob("static/*.js")
	if err != nil || len(modules) == 0 {
		t.Fatalf("no modules: %v", err)
	}
	for _, path := range append(modules, filepath.Join("testdata", "verify", name)) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(filepath.Base(path), b)
	}
	b, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	write("given.json", b)
	write("package.json", []byte(`{"type":"module"}`))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--test", "--test-reporter=tap", name)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("node: %v\n%.8000s", err, out)
		return
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "# swept") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// judge asks the Go verifier.
func judge(name string, file, rec []byte, policies ...string) receiptCase {
	policies = append([]string{}, policies...) // none is an empty list in JSON
	c := receiptCase{Name: name, File: file, Record: rec, Policies: policies, Want: "holds"}
	p, err := check(file, rec, policies)
	switch {
	case errors.Is(err, verify.ErrNotShown):
		c.Want, c.Why = "not checked", err.Error()
	case err != nil:
		c.Want, c.Why = "fails", err.Error()
	default:
		c.Told = tell(p)
	}
	return c
}

func check(file, rec []byte, policies []string) (*verify.Proven, error) {
	var ps verify.Policies
	for _, text := range policies {
		p, err := verify.ParsePolicy([]byte(text))
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	r, err := verify.ParseReceipt(file)
	if err != nil {
		return nil, err
	}
	return ps.Check(r, verify.CheckOptions{Record: rec})
}

func tell(p *verify.Proven) *told {
	of := func(b verify.Bound) bound { return bound{b.At, b.Proven} }
	out := &told{ID: p.ID, Origin: p.Signed.Checkpoint.Origin, Index: p.Index, Size: p.Signed.Checkpoint.Size, Full: p.Full, Codes: []string{},
		Signers: []signer{}, Clauses: []clause{}, NotBefore: of(p.Times.NotBefore), Logged: of(p.Times.Logged), NotAfter: of(p.Times.NotAfter), Cosigned: []string{}}
	for _, c := range p.Standing.Codes {
		out.Codes = append(out.Codes, string(c))
	}
	for _, s := range p.Signers {
		roles := s.Roles
		if roles == nil {
			roles = []record.Role{}
		}
		out.Signers = append(out.Signers, signer{s.Header.KID, s.Holder, roles, s.Enrolled, s.Recovery, s.Filer})
	}
	for _, c := range p.Clauses {
		out.Clauses = append(out.Clauses, clause{c.Ground.Record, c.Clause.Clause, c.Title, c.Published, of(c.PublishedBy)})
	}
	for _, c := range p.Signed.Cosignatures {
		out.Cosigned = append(out.Cosigned, c.Name)
	}
	return out
}

const verifyData = "../../verify/testdata/"

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// goldenCases are the receipts of the demonstration.
func goldenCases(t *testing.T) []receiptCase {
	policy := string(readFile(t, verifyData+"golden/trust.policy"))
	paths, err := filepath.Glob(verifyData + "golden/*/*.tlog-proof")
	if err != nil || len(paths) < 14 {
		t.Fatalf("%d golden receipts: %v", len(paths), err)
	}
	var all []receiptCase
	for _, path := range paths {
		c := judge(filepath.Base(path), readFile(t, path), nil, policy)
		if c.Want != "holds" {
			t.Fatalf("%s: %s", path, c.Why)
		}
		all = append(all, c)
		all = append(all, bare(t, c, policy)...)
	}
	return append(all, judge("another log's policy", all[0].File, nil, string(readFile(t, verifyData+"history/trust.policy"))),
		judge("no policy", all[0].File, nil), judge("a broken policy", all[0].File, nil, policy+"quorum none\n"))
}

// bare is a receipt without extra, beside the record, beside another and alone.
func bare(t *testing.T, c receiptCase, policy string) []receiptCase {
	r, err := verify.ParseReceipt(c.File)
	if err != nil {
		t.Fatal(err)
	}
	extra, err := verify.ParseExtra(r.Extra)
	if err != nil {
		t.Fatal(err)
	}
	r.Extra = nil
	b := r.Marshal()
	other := bytes.Clone(extra.Record)
	other[20] ^= 1
	return []receiptCase{judge(c.Name+" bare", b, extra.Record, policy), judge(c.Name+" bare and alone", b, nil, policy),
		judge(c.Name+" bare, another record", b, other, policy), judge(c.Name+" full, another record", c.File, other, policy)}
}

// worldCases are the receipts of a record of every type, with amendments, keys that
// filers have, and timemarks by the charter's witnesses.
func worldCases(t *testing.T) []receiptCase {
	w := ledgertest.New(t, nil)
	w.EveryType("Text, in words: “quoted”, <b>, \u2028 and \U0001F9FE.")
	return receiptsOf(t, w, string(w.TrustPolicy()), string(w.WitnessPolicy()))
}

// receiptsOf are the receipts of all records of a World, under each of some policies.
func receiptsOf(t *testing.T, w *ledgertest.World, policies ...string) []receiptCase {
	t.Helper()
	info, err := w.Ledger.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	entries, err := w.Ledger.Entries(t.Context(), 0, int(info.Size))
	if err != nil {
		t.Fatal(err)
	}
	var all []receiptCase
	for i, e := range entries {
		file, err := w.Ledger.Receipt(t.Context(), e.ID)
		if err != nil {
			t.Fatal(err)
		}
		for n, policy := range policies {
			all = append(all, judge(fmt.Sprintf("%s entry %d, policy %d", t.Name(), i, n), file, nil, policy))
		}
	}
	return all
}

// witnessedCases are receipts whose checkpoints witnesses cosigned.
func witnessedCases(t *testing.T) []receiptCase {
	w := ledgertest.NewWitnessed(t, nil)
	w.Cosign("w1 w2@30s")
	w.Advance(time.Hour)
	declined := func(name string) *record.Decision {
		d := w.Decision(name)
		d.Action, d.Grounds = record.Decline, nil // no clause is in force yet
		return d
	}
	w.Submit(w.Sign(declined("one"), "dora", "erik"))
	w.Cosign("w1@1h w2 w3@-20s")
	w.Advance(2 * time.Hour)
	w.Submit(w.Sign(declined("two"), "dora", "erik"))
	w.Cosign("w1 w3")
	log := "log " + w.VKey() + "\n"
	lines := func(need int, names ...string) string {
		return log + strings.Join(ledgertest.WitnessLines(need, names...), "\n") + "\n"
	}
	nested := log + strings.Join(ledgertest.WitnessLines(2, "w1", "w2", "w3")[:3], "\n") +
		"\ngroup left any w1 w2\n# a comment\ngroup\tboth all left w3\n\nquorum both\n"
	all := receiptsOf(t, w, string(w.WitnessPolicy()), string(w.TrustPolicy()), lines(3, "w1", "w2", "w3"), lines(1, "w2"), nested)
	last := all[len(all)-1].File
	key := ledgertest.Key("another log").Public().(ed25519.PublicKey)
	old := "log " + verify.VKey{Name: ledgertest.Origin, Alg: verify.Ed25519, Key: key}.String() + "\nquorum none\n"
	return append(all, judge("retired, with witnesses", last, nil, string(w.WitnessPolicy()), old),
		judge("retired, without witnesses", last, nil, string(w.TrustPolicy()), old), judge("the newest policy takes it", last, nil, old, string(w.TrustPolicy())))
}

// keyCases are receipts with keys and signatures of other algorithms: a decider
// with ES256, and witnesses with ML-DSA-44.
func keyCases(t *testing.T) []receiptCase {
	w := ledgertest.New(t, nil)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := record.NewJWK(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	with := func(b []byte, seq int64) []byte {
		u, err := record.ParseDraft(b)
		if err == nil {
			u, err = u.Sign(crypto.Signer(key), w.Now().Unix(), seq, w.Seen())
		}
		if err != nil {
			t.Fatal(err)
		}
		return u.Bytes()
	}
	w.Submit(with(w.Sign(&record.KeyEnrol{Holder: "pat", JWK: jwk, Roles: []record.Role{record.RoleDecider}}, "ada", "ben"), 1))
	out := w.Submit(with(w.Sign(w.Decision("curves"), "dora"), 2))
	file, err := w.Ledger.Receipt(t.Context(), out.ID)
	if err != nil {
		t.Fatal(err)
	}
	all := []receiptCase{judge("ES256", file, nil, string(w.TrustPolicy()))}
	secret, err := mldsa.GenerateKey(mldsa.MLDSA44())
	if err != nil {
		t.Fatal(err)
	}
	cosigner, err := verify.NewCosigner("pq.test.example", secret)
	if err != nil {
		t.Fatal(err)
	}
	r, err := verify.ParseReceipt(file)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(r.Checkpoint), "\n\n")
	cp, err := verify.ParseCheckpoint(text + "\n")
	if err != nil {
		t.Fatal(err)
	}
	line, err := cosigner.Cosign(cp, w.Now().Unix())
	if err != nil {
		t.Fatal(err)
	}
	r.Checkpoint = append(w.WithCosignatures(r.Checkpoint, "w1"), line...)
	policy := func(k string) string {
		return "log " + w.VKey() + "\nwitness pq " + cosigner.VKey().String() + "\n" + ledgertest.WitnessLines(1, "w1")[0] + "\ngroup g " + k + " pq w1\nquorum g\n"
	}
	both := judge("ML-DSA, and both are needed", r.Marshal(), nil, policy("all"))
	if both.Want != "holds" {
		t.Fatal(both.Why)
	}
	both.Want, both.Told = "not checked", nil // which is all that a browser can say
	r.Checkpoint = bytes.TrimSuffix(r.Checkpoint, []byte(line))
	return append(all, both, judge("ML-DSA, and one is enough", append(r.Marshal(), line...), nil, policy("any")),
		judge("ML-DSA is missing", r.Marshal(), nil, policy("all")))
}

// peerCases are receipts that are not of a ledger.
func peerCases(t *testing.T) []receiptCase {
	return []receiptCase{judge("another program's", readFile(t, verifyData+"peer.tlog-proof"), nil, string(readFile(t, verifyData+"peer.policy")))}
}

// mutations are a receipt with parts dropped, swapped, doubled or spelled otherwise.
func mutations(t *testing.T, c receiptCase) []receiptCase {
	r, err := verify.ParseReceipt(c.File)
	if err != nil || r.Extra == nil {
		t.Fatalf("%s: no full receipt: %v", c.Name, err)
	}
	extra, err := verify.ParseExtra(r.Extra)
	if err != nil {
		t.Fatal(err)
	}
	var all []receiptCase
	add := func(name string, file []byte) {
		if !bytes.Equal(file, c.File) {
			all = append(all, judge(c.Name+": "+name, file, nil, c.Policies...))
		}
	}
	with := func(name string, change func(*verify.Extra)) {
		e := verify.Extra{Record: extra.Record, Support: slices.Clone(extra.Support), Seen: slices.Clone(extra.Seen)}
		change(&e)
		b, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		m := r
		m.Extra = b
		add(name, m.Marshal())
	}
	for i := range extra.Support {
		with(fmt.Sprintf("support %d dropped", i), func(e *verify.Extra) { e.Support = slices.Delete(e.Support, i, i+1) })
		with(fmt.Sprintf("support %d doubled", i), func(e *verify.Extra) { e.Support = slices.Insert(e.Support, i, e.Support[i]) })
		with(fmt.Sprintf("support %d shifted", i), func(e *verify.Extra) { e.Support[i].Index++ })
		if i > 0 {
			with(fmt.Sprintf("support %d and the one before swapped", i), func(e *verify.Extra) { e.Support[i], e.Support[i-1] = e.Support[i-1], e.Support[i] })
			with(fmt.Sprintf("proofs of support %d and the one before swapped", i), func(e *verify.Extra) {
				e.Support[i].Proof, e.Support[i-1].Proof = e.Support[i-1].Proof, e.Support[i].Proof
			})
			with(fmt.Sprintf("records of support %d and the one before swapped", i), func(e *verify.Extra) {
				e.Support[i].Record, e.Support[i-1].Record = e.Support[i-1].Record, e.Support[i].Record
			})
		}
	}
	for i := range extra.Seen {
		with(fmt.Sprintf("seen %d dropped", i), func(e *verify.Extra) { e.Seen = slices.Delete(e.Seen, i, i+1) })
		with(fmt.Sprintf("seen %d of another size", i), func(e *verify.Extra) { e.Seen[i].Size++ })
		with(fmt.Sprintf("seen %d with a hash less", i), func(e *verify.Extra) {
			e.Seen[i].Proof = e.Seen[i].Proof[:max(0, len(e.Seen[i].Proof)-1)]
		})
	}
	with("the record among its support", func(e *verify.Extra) {
		e.Support = append(e.Support, verify.Support{Index: r.Index, Record: e.Record, Proof: r.Proof})
		slices.SortFunc(e.Support, func(a, b verify.Support) int { return int(a.Index - b.Index) })
	})
	for name, edit := range map[string][2]string{
		"a blank in extra": {`"v":1}`, `"v": 1}`}, "another version": {`"v":1}`, `"v":2}`}, "a member more": {`"v":1}`, `"v":1,"w":1}`},
		"v first": {`{"record"`, `{"v":1,"record"`}, "no seen": {`"seen":[`, `"sees":[`}, "null": {`"v":1}`, `"v":null}`},
	} {
		m := r
		m.Extra = []byte(strings.Replace(string(r.Extra), edit[0], edit[1], 1))
		add(name, m.Marshal())
	}
	change := func(name string, f func(*verify.Receipt)) {
		m := r
		m.Proof, m.Checkpoint = slices.Clone(r.Proof), bytes.Clone(r.Checkpoint)
		f(&m)
		add(name, m.Marshal())
	}
	change("another index", func(r *verify.Receipt) { r.Index++ })
	change("a hash more", func(r *verify.Receipt) { r.Proof = append(r.Proof, tlog.Hash{}) })
	change("a hash less", func(r *verify.Receipt) { r.Proof = r.Proof[:max(0, len(r.Proof)-1)] })
	change("hashes reversed", func(r *verify.Receipt) { slices.Reverse(r.Proof) })
	lines := strings.SplitAfter(strings.TrimSuffix(string(r.Checkpoint), "\n"), "\n")
	change("a signature twice", func(r *verify.Receipt) { r.Checkpoint = append(r.Checkpoint, lines[4]+"\n"...) })
	change("no signature", func(r *verify.Receipt) { r.Checkpoint = []byte(strings.Join(lines[:4], "")) })
	change("an extension line", func(r *verify.Receipt) {
		r.Checkpoint = []byte(strings.Replace(string(r.Checkpoint), "\n\n", "\nmore\n\n", 1))
	})
	change("an unknown signature line", func(r *verify.Receipt) { r.Checkpoint = append(r.Checkpoint, "— somebody.example AAAAAAAA\n"...) })
	add("a line end more", append(bytes.Clone(c.File), '\n'))
	add("no line end", bytes.TrimSuffix(c.File, []byte("\n")))
	add("CRLF", bytes.ReplaceAll(c.File, []byte("\n"), []byte("\r\n")))
	add("cut", c.File[:len(c.File)/2])
	add("a byte order mark", append([]byte("\uFEFF"), c.File...))
	add("index 00", bytes.Replace(c.File, []byte("\nindex "), []byte("\nindex 0"), 1))
	return all
}

// sweeps change every byte of some files, or every so many of larger ones.
func sweeps(t *testing.T, cases []receiptCase) []sweep {
	var all []sweep
	for name, step := range map[string]int{"01-enrol-archivist.tlog-proof": 1, "12-example-emergency-restrict.tlog-proof": 7,
		"ML-DSA, and one is enough": 11, "TestBrowserVerifier entry 10, policy 0": 13} {
		i := slices.IndexFunc(cases, func(c receiptCase) bool { return c.Name == name && c.Want == "holds" })
		if i < 0 {
			t.Fatalf("no receipt %q that holds", name)
		}
		file := cases[i].File
		s := sweep{Name: name, Kind: "receipt", File: file, Policies: cases[i].Policies, Step: step, End: len(file), Holds: []int{}}
		if strings.Contains(name, "ML-DSA") { // but for that signature, of which browsers say nothing
			s.End = bytes.LastIndex(bytes.TrimSuffix(file, []byte("\n")), []byte("\n"))
		}
		s.run(func(b []byte) bool {
			_, err := check(b, nil, s.Policies)
			return err == nil
		})
		all = append(all, s)
	}
	i := slices.IndexFunc(cases, func(c receiptCase) bool { return strings.Contains(strings.Join(c.Policies, ""), "# a comment") })
	s := sweep{Name: "a policy", Kind: "policy", File: []byte(cases[i].Policies[0]), Step: 1, Holds: []int{}}
	s.End = len(s.File)
	s.run(func(b []byte) bool {
		_, err := verify.ParsePolicy(b)
		return err == nil
	})
	return append(all, s)
}

func (s *sweep) run(holds func([]byte) bool) {
	for i := 0; i < s.End; i += s.Step {
		b := bytes.Clone(s.File)
		b[i] ^= 1 << (i % 7)
		if holds(b) {
			s.Holds = append(s.Holds, i)
		}
	}
}

// recordCases are the vectors of package record, with the keys that the good ones
// bring.
func recordCases(t *testing.T) []recordCase {
	const dir = "../../verify/record/testdata/"
	ring, jwks := record.Keyring{}, map[string]record.JWK{}
	keep := func(list ...record.JWK) {
		for _, k := range list {
			ring.Add(k)
			jwks[k.KID()] = k
		}
	}
	files := map[string][]byte{}
	paths, err := filepath.Glob(dir + "*/*")
	if err != nil || len(paths) < 40 {
		t.Fatalf("%d vectors: %v", len(paths), err)
	}
	for _, path := range paths {
		files[path] = readFile(t, path)
		u, err := record.Parse(files[path])
		if err != nil {
			continue
		}
		switch p := u.Payload().(type) {
		case *record.Charter:
			for _, f := range p.Founders {
				keep(f.JWK)
			}
			keep(p.Recovery.Keys...)
		case *record.KeyEnrol:
			keep(p.JWK)
		}
	}
	keys, err := json.Marshal(jwks)
	if err != nil {
		t.Fatal(err)
	}
	var all []recordCase
	for path, b := range files {
		_, err := record.Open(b, ledgerKeys{ring})
		all = append(all, recordCase{Name: strings.TrimPrefix(path, dir), File: b, Want: string(record.CodeOf(err)), Keys: keys})
	}
	return all
}

// ledgerKeys are the keys of the ledger of package record's vectors.
type ledgerKeys struct{ record.Keyring }

func (ledgerKeys) Origin() string { return "ledger.example.com/2026" }

// tree is a log of several tiles, with its roots at some sizes.
func tree(t *testing.T) treeCase {
	const size = 66_000
	entries := make([][]byte, size)
	for i := range entries {
		entries[i] = fmt.Appendf(nil, "entry %d", i)
	}
	secret, _, err := note.GenerateKey(rand.Reader, "tiles.example")
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	files, err := ledgertest.StaticLog(key, entries)
	if err != nil {
		t.Fatal(err)
	}
	c := treeCase{Size: size, Roots: map[string]string{}, Files: map[string][]byte{}}
	for name, b := range files {
		if !strings.Contains(name, "entries") {
			c.Files[name] = b
		}
	}
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, n := range at {
			out[i] = hashes[n]
		}
		return out, nil
	})
	for i, e := range entries {
		h, err := tlog.StoredHashes(int64(i), e, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, h...)
		n := int64(i + 1)
		if slices.Contains([]int64{1, 2, 3, 7, 255, 256, 257, 511, 512, 513, 40_000, 65_535, 65_536, 65_537, size}, n) {
			root, err := tlog.TreeHash(n, reader)
			if err != nil {
				t.Fatal(err)
			}
			c.Roots[fmt.Sprint(n)] = root.String()
		}
	}
	return c
}
