//go:build peers

package cosign_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify"
)

// An omniwitness is the program of github.com/transparency-dev/witness, as a
// process of its own with its state in a file.
type omniwitness struct {
	t         *testing.T
	name, url string
	key       verify.VKey
	args      []string
	cmd       *exec.Cmd
}

func buildOmniwitness(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "omniwitness")
	build := exec.Command("go", "build", "-o", bin, "github.com/transparency-dev/witness/cmd/omniwitness")
	build.Dir = "testdata/omniwitness"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

func newOmniwitness(t *testing.T, bin, name string, log verify.VKey) *omniwitness {
	t.Helper()
	dir := t.TempDir()
	skey, vkey, err := note.GenerateKey(nil, name+".example/omni")
	if err != nil {
		t.Fatal(err)
	}
	key, err := verify.ParseVKey(vkey)
	if err != nil {
		t.Fatal(err)
	}
	key.Alg = verify.Ed25519Cosignature
	files := map[string]string{"key": skey, "logs.yaml": fmt.Sprintf("Logs:\n  - Origin: %s\n    PublicKey: %s\n    Feeder: none\n", log.Name, log)}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n, err := net.Listen("tcp", "127.0.0.1:0") // a free port, which stays the same after a restart
	if err != nil {
		t.Fatal(err)
	}
	address := n.Addr().String()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	o := &omniwitness{t: t, name: name, url: "http://" + address, key: key, args: []string{bin, "--listen", address, "--metrics_listen", "",
		"--db_file", filepath.Join(dir, "db"), "--private_key_path", filepath.Join(dir, "key"), "--additional_logs", filepath.Join(dir, "logs.yaml")}}
	o.start()
	t.Cleanup(o.kill)
	return o
}

func (o *omniwitness) start() {
	o.t.Helper()
	o.cmd = exec.Command(o.args[0], o.args[1:]...)
	var said strings.Builder
	o.cmd.Stderr = &said
	if err := o.cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if res, err := http.Get(o.url); err == nil {
			res.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			o.kill()
			o.t.Fatalf("omniwitness does not answer: %s", said.String())
		}
	}
}

func (o *omniwitness) kill() {
	_ = o.cmd.Process.Kill()
	_ = o.cmd.Wait()
}

func (o *omniwitness) line() string {
	return "witness " + o.name + " " + o.key.String() + " " + o.url
}

// TestPeerOmniwitness: a real witness cosigns a log that grows, across restarts on
// either side, tells where to prove from, and refuses a fork; foreign code reads
// all that was signed, by it and by ours.
func TestPeerOmniwitness(t *testing.T) {
	b := newBench(t, 1)
	b.config.Deadline = 10 * time.Second
	bin := buildOmniwitness(t)
	o1, o2, ours := newOmniwitness(t, bin, "o1", b.log.key), newOmniwitness(t, bin, "o2", b.log.key), b.peers[0]
	lines := []string{"log " + b.log.key.String(), o1.line(), o2.line(),
		"witness w1 " + ours.core.Cosigners[0].VKey().String() + " " + ours.server.URL, "group every all o1 o2 w1", "quorum every"}
	policy := parse(t, lines...)
	b.log.policy = func() *verify.Policy { return policy }
	b.config.Policy = policy
	all := []string{"o1", "o2", "w1"}

	b.run()
	for _, size := range []int{1, 2, 3, 255, 256, 257, 1000} {
		b.log.grow(size)
		b.log.await(int64(size), all...)
	}
	o1.kill()
	b.log.grow(1001)
	b.until("o1", "away", func(w ledger.Witness) bool { return w.Error != "" && !w.Faulty })
	o1.start()
	b.log.await(1001, all...)

	// The log forgets where the witnesses are: they answer 409 with the size.
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(b.config.Dir, "sent.json")); err != nil {
		t.Fatal(err)
	}
	b.log.grow(2000)
	b.run()
	b.log.await(2000, all...)
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	readByFormats(t, lines, b.log.cosigned)

	// Another history, signed with the same key.
	fork := newLog(t, "second").grow(2500)
	fork.policy = b.log.policy
	b.log, b.config.Log, b.config.Dir = fork, fork, t.TempDir()
	ours.lies(func(w http.ResponseWriter, r *http.Request, _ []byte) bool { return r.Method == http.MethodPost }) // its note would end it
	b.run()
	for _, o := range []string{"o1", "o2"} {
		w := b.until(o, "refusing", func(w ledger.Witness) bool { return w.Error != "" })
		if w.Size != 0 || !strings.Contains(w.Error, "does not hold") {
			t.Errorf("%+v", w)
		}
	}
	if len(fork.cosigned) > 0 {
		t.Errorf("the fork was cosigned: %q", fork.cosigned)
	}
}

// readByFormats lets foreign code read a policy and notes, each of which must have
// three cosignatures.
func readByFormats(t *testing.T, policy []string, notes [][]byte) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "policy")
	if err := os.WriteFile(file, []byte(strings.Join(policy, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", ".", file}
	for i, n := range notes {
		path := filepath.Join(dir, fmt.Sprintf("%d.note", i))
		if err := os.WriteFile(path, n, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = "testdata/formats"
	out, err := cmd.CombinedOutput()
	if err != nil || len(notes) < 9 || strings.Count(string(out), " cosigned by ") != 3*len(notes) {
		t.Errorf("of %d notes: %v\n%s", len(notes), err, out)
	}
}
