package demo_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/demo"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// once runs the demonstration and returns its directory and what it said.
func once(t *testing.T) (dir, story string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "d")
	var out bytes.Buffer
	if err := demo.Run(context.Background(), demo.Config{Dir: dir, Once: true, Out: &out}); err != nil {
		t.Fatalf("%v, after\n%s", err, out.String())
	}
	return dir, out.String()
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func policy(t *testing.T, dir, file string) *verify.Policy {
	t.Helper()
	p, err := verify.ParsePolicy(read(t, dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func proofs(t *testing.T, dir, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, folder, "*.tlog-proof"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no receipts in %s: %v", folder, err)
	}
	return files
}

// check checks a receipt as docket-verify does.
func check(b []byte, p *verify.Policy) (*verify.Proven, error) {
	r, err := verify.ParseReceipt(b)
	if err != nil {
		return nil, err
	}
	return r.Check(p, nil)
}

func TestDemo(t *testing.T) {
	dir, story := once(t)
	t.Run("story", func(t *testing.T) { testStory(t, story) })
	t.Run("files", func(t *testing.T) { testFiles(t, dir) })
	t.Run("receipts", func(t *testing.T) { testReceipts(t, dir) })
	t.Run("witnessed", func(t *testing.T) { testWitnessed(t, dir) })
	t.Run("flips", func(t *testing.T) { testFlips(t, dir) })
	t.Run("audit", func(t *testing.T) { testAudit(t, dir) })
}

func testStory(t *testing.T, story string) {
	lines := strings.Split(strings.TrimSuffix(story, "\n"), "\n")
	if len(lines) > 60 {
		t.Errorf("%d lines, want at most 60", len(lines))
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > 110 && !strings.Contains(line, "docket-verify") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"press reports", "not by the company", "daily-stormer", "ground.none", "quorum.short", "VOID",
		"example-emergency", "REFUSED", "EFFECTIVE", "entry 13 was altered", "three witnesses that run on this machine", "signature.invalid"} {
		if !strings.Contains(story, want) {
			t.Errorf("the story does not say %q", want)
		}
	}
}

func testFiles(t *testing.T, dir string) {
	for _, path := range []string{"ledger", "decision.yaml", "mirror/checkpoint", "mirror/tile/entries", "keys", "trust.policy", "witnessed.policy", "log.vkey"} {
		if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
			t.Error(err)
		}
	}
	vkey := strings.TrimSuffix(string(read(t, dir, "log.vkey")), "\n")
	if p := policy(t, dir, "trust.policy"); len(p.Logs()) != 1 || p.Logs()[0].Key.String() != vkey {
		t.Errorf("trust.policy names %v, log.vkey %s", p.Logs(), vkey)
	}
	keys, err := filepath.Glob(filepath.Join(dir, "keys", "*"))
	if err != nil || len(keys) < 13 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	for _, key := range keys {
		if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v, want 0600", key, info.Mode(), err)
		}
	}
}

func testReceipts(t *testing.T, dir string) {
	p := policy(t, dir, "trust.policy")
	files := proofs(t, dir, "receipts")
	if len(files) < 6 {
		t.Errorf("%d receipts, want at least 6", len(files))
	}
	byCase := map[string][]record.Action{}
	for _, file := range files {
		b := read(t, file)
		if n := strings.Count(string(b), "\n— "); n != 1 {
			t.Errorf("%s: %d signature lines, want 1", file, n)
		}
		proven, err := check(b, p)
		if err != nil || !proven.Full || !proven.Standing.Effective() {
			t.Errorf("%s: %v, %+v, want full and effective", file, err, proven)
			continue
		}
		if d, ok := proven.Record.Payload().(*record.Decision); ok {
			byCase[d.Case] = append(byCase[d.Case], d.Action)
			if !strings.Contains(d.Facts, "not by the company") && !strings.Contains(d.Facts, "fictitious") {
				t.Errorf("%s does not say where it comes from: %s", file, d.Facts)
			}
		}
	}
	if got := byCase["kiwi-farms"]; len(got) != 1 || got[0] != record.Decline {
		t.Errorf("effective in kiwi-farms: %v, want decline", got)
	}
	if got := byCase["example-emergency"]; len(got) != 2 || got[1] != record.Restrict {
		t.Errorf("effective in example-emergency: %v, want decline, restrict", got)
	}
	void := proofs(t, dir, "void")
	proven, err := check(read(t, void[0]), p)
	if err != nil || len(void) != 1 {
		t.Fatalf("%v: %v", void, err)
	}
	d, ok := proven.Record.Payload().(*record.Decision)
	if !ok || d.Case != "8chan" || len(proven.Standing.Codes) != 2 || proven.Standing.Codes[0] != rules.GroundNone {
		t.Errorf("void: %v of %+v, want ground.none, quorum.short of 8chan", proven.Standing.Codes, d)
	}
}

// testWitnessed: the receipts in witnessed are those of the same records; their times
// are proven under a policy that demands witnesses, which the others don't satisfy.
func testWitnessed(t *testing.T, dir string) {
	p := policy(t, dir, "witnessed.policy")
	if len(p.Witnesses()) != 3 || !p.Reached([]string{"witness-1", "witness-3"}) || p.Reached([]string{"witness-2"}) {
		t.Errorf("witnessed.policy: %v, %s", p.Witnesses(), p.Quorum())
	}
	files := proofs(t, dir, "witnessed")
	if plain := proofs(t, dir, "receipts"); len(plain) != len(files) {
		t.Errorf("%d of %d receipts are witnessed", len(files), len(plain))
	}
	for _, file := range files {
		b, plain := read(t, file), read(t, dir, "receipts", filepath.Base(file))
		if n := strings.Count(string(b), "\n— "); n != 4 || !bytes.HasPrefix(b, plain) {
			t.Errorf("%s: %d signature lines, want 4, after what receipts has", file, n)
		}
		if _, err := check(plain, p); !errors.Is(err, verify.ErrQuorum) {
			t.Errorf("%s without witnesses: %v, want that the quorum is missing", file, err)
		}
		proven, err := check(b, p)
		if err != nil || !proven.Times.NotAfter.Proven {
			t.Errorf("%s: %v, %+v, want a proven time", file, err, proven)
			continue
		}
		if _, ok := proven.Record.Payload().(*record.Decision); ok && !proven.Times.NotBefore.Proven {
			t.Errorf("%s: nothing proves that the decision is not older: %+v", file, proven.Times)
		}
	}
	sum, err := verify.Audit(t.Context(), verify.DirSource(os.DirFS(filepath.Join(dir, "mirror"))), p, verify.AuditOptions{})
	if err != nil || sum.Broken != 0 || !sum.Witnessed || sum.ByType[record.TypeTimemark] != 2 {
		t.Errorf("the mirror under witnessed.policy: %+v, %v", sum, err)
	}
}

// testFlips changes every byte of one receipt, and every tenth of a larger one.
func testFlips(t *testing.T, dir string) {
	p := policy(t, dir, "trust.policy")
	files := proofs(t, dir, "receipts")
	for file, stride := range map[string]int{files[0]: 1, files[len(files)-1]: 25} {
		good := read(t, file)
		for i := 0; i < len(good); i += stride {
			bad := bytes.Clone(good)
			bad[i] ^= 1
			if _, err := check(bad, p); err == nil {
				t.Fatalf("%s holds with byte %d (%q) changed", file, i, good[i])
			}
		}
	}
}

func testAudit(t *testing.T, dir string) {
	p := policy(t, dir, "trust.policy")
	var broken []verify.Finding
	audit := func(folder string) *verify.Summary {
		broken = nil
		sum, err := verify.Audit(context.Background(), verify.DirSource(os.DirFS(filepath.Join(dir, folder))), p,
			verify.AuditOptions{Found: func(f verify.Finding) {
				if f.Severity == verify.Broken {
					broken = append(broken, f)
				}
			}})
		if err != nil {
			t.Fatalf("audit of %s: %v", folder, err)
		}
		return sum
	}
	if sum := audit("mirror"); sum.Broken != 0 || sum.Void != 1 || sum.Effective != int64(len(proofs(t, dir, "receipts"))) {
		t.Errorf("mirror: %+v, %v", sum, broken)
	}
	if audit("altered"); len(broken) != 1 || broken[0].Code != verify.AuditEntry || broken[0].Index != 13 {
		t.Errorf("altered: %v, want entry 13", broken)
	}
}

func TestNotEmpty(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := demo.Run(context.Background(), demo.Config{Dir: dir, Once: true, Out: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := filepath.Join(t.TempDir(), "d")
	err = demo.Run(context.Background(), demo.Config{Dir: dir, Listen: l.Addr().String(), Out: io.Discard})
	if cli.Code(err) != 3 || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("got %v, want exit code 3 and what to do", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("it had begun all the same")
	}
}

func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir := filepath.Join(t.TempDir(), "d")
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- demo.Run(ctx, demo.Config{Dir: dir, Listen: "127.0.0.1:0", Out: out})
		out.Close()
	}()
	lines, url := 0, ""
	for scanner := bufio.NewScanner(in); scanner.Scan(); {
		lines++
		if _, after, ok := strings.Cut(scanner.Text(), "http://"); ok && url == "" {
			url = "http://" + strings.Fields(after)[0]
		}
		if strings.Contains(scanner.Text(), "docket submit") {
			break
		}
	}
	if url == "" {
		t.Fatalf("no URL in %d lines: %v", lines, <-done)
	}
	if lines > 60 {
		t.Errorf("%d lines, want at most 60", lines)
	}
	testServed(t, dir, url)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v, want nil after the context ended", err)
	}
}

// testServed: what is served is the log of the mirror, cosigned, if the witnesses
// were asked again a little later; and they are asked for what is new.
func testServed(t *testing.T, dir, url string) {
	c, err := client.New(url)
	if err != nil {
		t.Fatal(err)
	}
	witnessed := policy(t, dir, "witnessed.policy")
	note, err := c.ReadFile(t.Context(), "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	served, err := witnessed.Open(note)
	if err != nil {
		t.Fatalf("served: %v", err)
	}
	if copied, err := witnessed.Open(read(t, dir, "mirror", "checkpoint")); err != nil || served.Checkpoint != copied.Checkpoint {
		t.Errorf("served checkpoint %v, that of the mirror %v, %v", served.Checkpoint, copied.Checkpoint, err)
	}
	enrolled, err := c.Submit(t.Context(), enrolment(t, dir, served.Checkpoint))
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.WitnessedReceipt(t.Context(), enrolled.ID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if proven, err := check(text, witnessed); err != nil || !proven.Times.NotBefore.Proven || !proven.Times.NotAfter.Proven {
		t.Errorf("a new receipt: %v, %+v", err, proven)
	}
	info, err := c.Info(t.Context())
	if err != nil || len(info.Witnesses) != 3 || info.NoTimemarks != "" || info.Serves != client.ServesWitnessed {
		t.Errorf("the log says %+v, %v", info, err)
	}
	for _, w := range info.Witnesses {
		if w.Error != "" || w.At == 0 {
			t.Errorf("witness %+v", w)
		}
	}
}

// enrolment is a record for the ledger of a demonstration: two founders enrol a key.
func enrolment(t *testing.T, dir string, seen verify.Checkpoint) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := record.NewJWK(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	p := &record.KeyEnrol{Common: record.Common{Ledger: demo.Origin}, Holder: "newcomer", JWK: jwk, Roles: []record.Role{record.RoleIntake}}
	u, err := record.NewDraft(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"founder-1", "founder-2"} {
		founder, err := keyfile.Read(filepath.Join(dir, "keys", name+".jwk"), nil)
		if err == nil { // a gap in the numbers is no fault
			u, err = u.Sign(founder, time.Now().Unix(), 100, record.SeenTree(seen.Size, seen.Root))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if u, err = u.Sign(key, time.Now().Unix(), 1, record.SeenTree(seen.Size, seen.Root)); err != nil {
		t.Fatal(err)
	}
	return u.Bytes()
}
