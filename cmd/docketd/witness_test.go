package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// A witnessedDir is a data directory whose charter names three witnesses.
type witnessedDir struct {
	dir, vkey string
	peers     []*ledgertest.Peer
	policy    string // the file for --witness-policy
	trust     *verify.Policy
	enrolled  int
}

func newWitnessedDir(t *testing.T) *witnessedDir {
	t.Helper()
	d := &witnessedDir{dir: t.TempDir()}
	silent := cli.Streams{Out: io.Discard, Err: io.Discard}
	must(t, key(t.Context(), []string{"--data", d.dir, "--origin", "ledger.example.com/2026"}, silent))
	b, err := os.ReadFile(filepath.Join(d.dir, "keys", "log.vkey"))
	must(t, err)
	d.vkey = strings.TrimSpace(string(b))
	for _, name := range ledgertest.WitnessNames {
		d.peers = append(d.peers, ledgertest.NewPeer(t, name, d.vkey))
	}
	lines := ledgertest.PeerPolicy("2", d.peers...)
	d.policy = filepath.Join(t.TempDir(), "witness.policy")
	must(t, os.WriteFile(d.policy, lines, 0o600))
	d.trust, err = verify.ParsePolicy(append([]byte("log "+d.vkey+"\n"), lines...))
	must(t, err)
	file := filepath.Join(d.dir, "charter.jws")
	must(t, os.WriteFile(file, d.charter(t, strings.Split(strings.TrimSpace(string(lines)), "\n")), 0o600))
	must(t, initialise(t.Context(), []string{"--data", d.dir, "--charter", file}, silent))
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// charter is signed by ada, ben, rita and the machine key of the directory.
func (d *witnessedDir) charter(t *testing.T, witnesses []string) []byte {
	t.Helper()
	machine, err := keyfile.Read(filepath.Join(d.dir, "keys", "machine.jwk"), nil)
	must(t, err)
	jwk, err := record.NewJWK(machine.Public())
	must(t, err)
	b, err := charter(d.vkey, "ada")
	must(t, err)
	u, err := record.Parse(b)
	must(t, err)
	p := u.Payload().(*record.Charter)
	p.Founders = append(p.Founders, record.Founder{Holder: "server", JWK: jwk, Roles: []record.Role{record.RoleMachine}})
	p.Witnesses = witnesses
	b, err = sign(p, 1, record.SeenNothing, "ada", "ben", "rita")
	must(t, err)
	u, err = record.Parse(b)
	must(t, err)
	u, err = u.Sign(machine, time.Now().Unix(), 1, record.SeenNothing)
	must(t, err)
	return u.Bytes()
}

// copied returns a copy of the directory, which nobody has open.
func (d *witnessedDir) copied(t *testing.T) *witnessedDir {
	t.Helper()
	c := *d
	c.dir = t.TempDir()
	must(t, os.CopyFS(c.dir, os.DirFS(d.dir)))
	must(t, os.Chmod(filepath.Join(c.dir, "keys", "log.key"), 0o600))
	must(t, os.Chmod(filepath.Join(c.dir, "keys", "machine.jwk"), 0o600))
	return &c
}

func (d *witnessedDir) serve(t *testing.T, more ...string) (*client.Client, func() error) {
	t.Helper()
	url, stop := running(t, d.dir, append([]string{"--witness-policy", d.policy}, more...)...)
	c, err := client.New(url)
	must(t, err)
	return c, stop
}

// refused tries to serve the directory, which must not come about.
func (d *witnessedDir) refused(t *testing.T, want string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	guard, err := os.ReadFile(filepath.Join(d.dir, "guard"))
	must(t, err)
	err = serve(ctx, append([]string{"--data", d.dir, "--listen", "127.0.0.1:0"}, args...), cli.Streams{Out: io.Discard, Err: io.Discard})
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), want) {
		t.Errorf("serve: %v, want an error with %q", err, want)
	}
	if now, err := os.ReadFile(filepath.Join(d.dir, "guard")); err != nil || !bytes.Equal(now, guard) {
		t.Errorf("something was signed: %v", err)
	}
}

func (d *witnessedDir) submit(t *testing.T, c *client.Client) client.Submitted {
	t.Helper()
	out, err := c.Submit(t.Context(), enrolment(t, d.enrolled, record.SeenNothing))
	d.enrolled++
	must(t, err)
	return out
}

// witnessed waits for the receipt of a record under the policy.
func (d *witnessedDir) witnessed(t *testing.T, c *client.Client, id record.ID) {
	t.Helper()
	text, err := c.WitnessedReceipt(t.Context(), id, time.Minute)
	must(t, err)
	r, err := verify.ParseReceipt(text)
	must(t, err)
	if _, err := r.Check(d.trust, nil); err != nil {
		t.Errorf("the receipt under the witnesses' policy: %v", err)
	}
}

func (d *witnessedDir) all(how int32) {
	for _, p := range d.peers {
		p.Behaves(how)
	}
}

func pending(err error) bool {
	var p *problem.Problem
	return errors.As(err, &p) && p.Code == problem.WitnessPending
}

// TestServeWitnessed loses one witness, then two, and has them back; and starts
// without any.
func TestServeWitnessed(t *testing.T) {
	d := newWitnessedDir(t)
	c, stop := d.serve(t)
	d.witnessed(t, c, d.submit(t, c).ID)
	d.peers[0].Behaves(ledgertest.Refuses)
	d.witnessed(t, c, d.submit(t, c).ID)
	d.peers[1].Behaves(ledgertest.Hangs)
	late := d.submit(t, c).ID
	if _, err := c.WitnessedReceipt(t.Context(), late, time.Second); !pending(err) {
		t.Errorf("with one witness: %v", err)
	}
	i, err := c.Info(t.Context())
	must(t, err)
	if i.Serves != client.ServesWitnessed || i.WitnessedSize >= i.Size || len(i.Witnesses) != 3 || i.NoTimemarks != "" || i.Time == 0 {
		t.Errorf("with one witness: %+v", i)
	}
	d.all(ledgertest.Answers)
	d.witnessed(t, c, late)
	must(t, stop())

	d.all(ledgertest.Refuses)
	c, stop = d.serve(t)
	out := d.submit(t, c)
	d.all(ledgertest.Answers)
	d.witnessed(t, c, out.ID)
	sum, err := verify.Audit(t.Context(), c, d.trust, verify.AuditOptions{Found: func(f verify.Finding) {
		if f.Severity != verify.Note {
			t.Errorf("%+v", f)
		}
	}})
	if err != nil || sum.ByType[record.TypeTimemark] == 0 || !sum.Witnessed {
		t.Errorf("audit: %+v, %v", sum, err)
	}
	must(t, stop())
}

// TestSecondServer starts a copy of the directory after the first one has gone on:
// the witnesses tell, before anything is signed.
func TestSecondServer(t *testing.T) {
	d := newWitnessedDir(t)
	c, stop := d.serve(t)
	d.witnessed(t, c, d.submit(t, c).ID)
	must(t, stop())
	second := d.copied(t)
	c, stop = d.serve(t)
	d.witnessed(t, c, d.submit(t, c).ID)
	second.refused(t, "Nothing was signed", "--witness-policy", d.policy)

	// If nobody could be asked at its start it is found out later.
	d.all(ledgertest.Refuses)
	other, stopOther := second.serve(t)
	second.enrolled += 7 // another record than the first server's
	for range 3 {
		second.submit(t, other)
	}
	d.all(ledgertest.Answers)
	for n := 0; ; n++ {
		_, err := other.Submit(t.Context(), enrolment(t, 100+n, record.SeenNothing))
		if err != nil {
			break // halted, or gone already
		}
		if n == 120 {
			t.Fatal("two servers go on with one key")
		}
		time.Sleep(500 * time.Millisecond)
	}
	if err := stopOther(); err == nil || !strings.Contains(err.Error(), "two histories") {
		t.Errorf("the second server ended with %v", err)
	}
	evidence, err := filepath.Glob(filepath.Join(second.dir, "checkpoints", "evidence-*.json"))
	if err != nil || len(evidence) == 0 {
		t.Errorf("evidence: %v, %v", evidence, err)
	}
	d.witnessed(t, c, d.submit(t, c).ID) // the first goes on
	must(t, stop())
}

// TestRestored: a restored ledger signs only when a quorum has agreed.
func TestRestored(t *testing.T) {
	d := newWitnessedDir(t)
	c, stop := d.serve(t)
	d.witnessed(t, c, d.submit(t, c).ID)
	must(t, stop())
	mark := filepath.Join(d.dir, "RESTORED")
	must(t, os.WriteFile(mark, []byte("{}\n"), 0o600))
	d.all(ledgertest.Refuses)
	d.refused(t, "a quorum of its witnesses", "--witness-policy", d.policy)
	d.refused(t, "--witness-policy")
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("the mark: %v", err)
	}
	d.peers[1].Behaves(ledgertest.Answers)
	d.peers[2].Behaves(ledgertest.Answers)
	c, stop = d.serve(t)
	if _, err := os.Stat(mark); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the mark after they agreed: %v", err)
	}
	d.witnessed(t, c, d.submit(t, c).ID)
	must(t, stop())
}

// TestWitnessPolicyFiles: what is wrong with a policy is said at the start.
func TestWitnessPolicyFiles(t *testing.T) {
	d := newWitnessedDir(t)
	whole, err := os.ReadFile(d.policy)
	must(t, err)
	for name, c := range map[string]struct{ file, want string }{
		"another log": {"log " + ledgertest.New(t, nil).VKey() + "\n" + string(whole), "another log"},
		"no quorum":   {string(whole[:bytes.LastIndex(whole, []byte("quorum"))]), "no quorum line"},
		"quorum none": {"quorum none\n", "quorum is none"},
		"no URLs":     {strings.ReplaceAll(string(whole), "http://", "# "), "policy"},
	} {
		file := filepath.Join(t.TempDir(), "witness.policy")
		must(t, os.WriteFile(file, []byte(c.file), 0o600))
		t.Run(name, func(t *testing.T) { d.refused(t, c.want, "--witness-policy", file) })
	}
	d.refused(t, "no such file", "--witness-policy", filepath.Join(t.TempDir(), "none"))
}
