package cosign_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/cosign"
	"github.com/docket-ledger/docket/verify"
)

// TestGrowth: each head is cosigned by all, whatever the steps.
func TestGrowth(t *testing.T) {
	b := newBench(t, 1).run()
	for _, size := range []int{1, 2, 3, 8, 9, 255, 256, 257, 1000} {
		b.log.grow(size)
		s := b.log.await(int64(size), "w1", "w2", "w3")
		for _, c := range s.Cosignatures {
			if d := time.Since(time.Unix(c.Time, 0)); d < -time.Second || d > time.Minute {
				t.Errorf("%s says that it cosigned %v ago", c.Name, d)
			}
		}
	}
	for _, w := range b.c.Witnesses() {
		if w.Size != 1000 || w.At == 0 || w.Error != "" || w.Faulty || w.URL == "" {
			t.Errorf("%+v", w)
		}
	}
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	for _, p := range b.peers {
		if n := p.times(); n > 30 {
			t.Errorf("%s was asked %d times for nine heads: a witness that is up to date is asked without need", p.name, n)
		}
	}
}

// TestQuorum: one witness may be away; with two away nothing is handed over, and
// the newest head is when one is back.
func TestQuorum(t *testing.T) {
	b := newBench(t, 5)
	away := func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		http.Error(w, "away", http.StatusServiceUnavailable)
		return true
	}
	b.peers[0].lies(away)
	b.run()
	b.log.await(5, "w2", "w3")
	b.until("w1", "away", func(w ledger.Witness) bool { return w.Error != "" && w.ErrorAt > 0 && !w.Faulty && w.Size == 0 })

	b.peers[1].lies(away)
	b.log.grow(9)
	b.until("w3", "at 9", func(w ledger.Witness) bool { return w.Size == 9 })
	b.until("w2", "away", func(w ledger.Witness) bool { return w.Error != "" && w.Size == 5 })
	b.log.grow(12)
	b.until("w3", "at 12", func(w ledger.Witness) bool { return w.Size == 12 })
	b.log.mu.Lock()
	for _, n := range b.log.cosigned {
		if !strings.Contains(string(n), origin+"\n5\n") {
			t.Errorf("handed over without a quorum: %q", n)
		}
	}
	b.log.mu.Unlock()

	b.peers[0].lies(nil)
	b.log.await(12, "w1", "w3")
	b.peers[1].lies(nil)
	b.log.await(12, "w1", "w2", "w3")
	b.until("w2", "back", func(w ledger.Witness) bool { return w.Error == "" && w.ErrorAt == 0 })
}

// TestRestart: on either side what was cosigned before is found again; a witness
// that lost it begins anew.
func TestRestart(t *testing.T) {
	b := newBench(t, 5).run()
	b.log.await(5, "w1", "w2", "w3")
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	b.log.grow(20)
	b.run()
	b.log.await(20, "w1", "w2", "w3")

	b.peers[0].core.Store.(*memory).mu.Lock()
	clear(b.peers[0].core.Store.(*memory).kept)
	b.peers[0].core.Store.(*memory).mu.Unlock()
	b.log.grow(21)
	b.log.await(21, "w1", "w2", "w3")

	// The log forgets what it sent: the witnesses tell.
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(b.config.Dir, "sent.json")); err != nil {
		t.Fatal(err)
	}
	b.log.grow(40)
	b.run()
	b.log.await(40, "w1", "w2", "w3")
}

// TestFed: somebody else shows our heads to the witnesses, which is allowed.
func TestFed(t *testing.T) {
	b := newBench(t, 5)
	for _, p := range b.peers {
		p.feed(t, b.log.Head())
	}
	b.log.grow(17)
	b.run()
	b.log.await(17, "w1", "w2", "w3")
	for _, w := range b.c.Witnesses() {
		if w.Faulty || w.Error != "" {
			t.Errorf("%+v", w)
		}
	}
}

// TestHeartbeat: a log that does not grow is cosigned anew.
func TestHeartbeat(t *testing.T) {
	b := newBench(t, 5)
	b.config.Heartbeat = 50 * time.Millisecond
	b.run()
	first := b.log.await(5, "w1", "w2", "w3")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		b.log.mu.Lock()
		notes := b.log.cosigned
		b.log.mu.Unlock()
		newest, err := b.policy().Open(notes[len(notes)-1])
		if err != nil {
			t.Fatal(err)
		}
		if newest.Cosignatures[0].Time > first.Cosignatures[0].Time {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no newer cosignature")
		}
	}
}

// TestSentBefore: what is sent is on the disk before a witness has it, and a log
// that has less than that is not opened.
func TestSentBefore(t *testing.T) {
	b := newBench(t, 5)
	sent := filepath.Join(b.config.Dir, "sent.json")
	var missing error
	for _, p := range b.peers {
		p.lies(func(http.ResponseWriter, *http.Request, []byte) bool {
			if text, err := os.ReadFile(sent); err != nil || strings.Count(string(text), `"size": 5`) != 3 {
				missing = errors.Join(err, errors.New(string(text)))
			}
			return false
		})
	}
	b.run()
	b.log.await(5, "w1", "w2", "w3")
	if err := b.stop(); err != nil || missing != nil {
		t.Fatal(err, missing)
	}
	for name, log := range map[string]*testLog{"set back": newLog(t, "first").grow(4), "another": newLog(t, "second").grow(6)} {
		b.config.Log = log
		if _, err := cosign.Open(b.config); !errors.Is(err, ledger.ErrNotExtended) || !strings.Contains(err.Error(), sent) {
			t.Errorf("%s: opened with %v", name, err)
		}
	}

	b.config.Log = b.log
	if err := os.WriteFile(sent, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := cosign.Open(b.config); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(sent + ".damaged"); err != nil {
		t.Error(err)
	}
}

// TestOpen: a policy that can't be asked is refused, with what to do.
func TestOpen(t *testing.T) {
	b := newBench(t, 5)
	log := "log " + b.log.key.String()
	w := "witness w1 " + b.peers[0].core.Cosigners[0].VKey().String()
	for _, test := range []struct {
		policy []string
		want   string
	}{
		{[]string{"quorum none"}, "names no key of this log"},
		{[]string{log, w, "quorum w1"}, "put the URL at the end of each witness line"},
		{[]string{log, w + " w1.example", "quorum w1"}, "want one like https://"},
		{[]string{log, w + " https://w1.example/?x", "quorum w1"}, "want one like https://"},
	} {
		b.config.Policy = parse(t, test.policy...)
		if _, err := cosign.Open(b.config); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.policy, err, test.want)
		}
	}
	b.config.Policy = nil
	if _, err := cosign.Open(b.config); err == nil {
		t.Error("opened without a policy")
	}
}

// TestStrips: what witnesses get has the log's own signature alone.
func TestStrips(t *testing.T) {
	b := newBench(t, 5).run()
	cosigned := b.log.await(5, "w1", "w2", "w3")
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	b.log.grow(6)
	b.log.mu.Lock()
	extra, err := verify.KeepLines(cosigned.Note, b.peers[0].core.Cosigners[0].VKey())
	b.log.head.Note = append(b.log.head.Note, extra[strings.Index(string(extra), "\n\n")+2:]...)
	b.log.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	bodies := make(chan string, 10)
	b.peers[1].lies(func(_ http.ResponseWriter, r *http.Request, body []byte) bool {
		bodies <- string(body)
		return false
	})
	b.run()
	b.log.await(6, "w1", "w2", "w3")
	if body := <-bodies; strings.Count(body, "\n— ") != 1 || !strings.Contains(body, "\n— "+origin+" ") {
		t.Errorf("sent %q", body)
	}
}

// TestKeys: the log's line of a key that the witness policy does not name stays
// with the note, and a head that only such a key signed is not shown.
func TestKeys(t *testing.T) {
	b := newBench(t, 5)
	other := newLog(t, "first")
	seed := sha256.Sum256([]byte("next log key"))
	key := ed25519.NewKeyFromSeed(seed[:])
	other.signer = logSigner{verify.VKey{Name: origin, Alg: verify.Ed25519, Key: key.Public().(ed25519.PublicKey)}, key}
	both := other.grow(5).Head().Note
	b.log.mu.Lock()
	b.log.head.Note = append(b.log.head.Note, both[strings.Index(string(both), "\n\n")+2:]...)
	note := string(b.log.head.Note)
	b.log.mu.Unlock()
	b.run()
	if s := b.log.await(5, "w1", "w2", "w3"); !strings.HasPrefix(string(s.Note), note) {
		t.Errorf("handed over %q, want the lines of %q", s.Note, note)
	}
	b.log.mu.Lock()
	b.log.signer = other.signer
	b.log.mu.Unlock()
	b.log.grow(6)
	w := b.until("w2", "not asked", func(w ledger.Witness) bool { return w.Error != "" })
	if w.Size != 5 || !strings.Contains(w.Error, "the log's key of now") {
		t.Errorf("%+v", w)
	}
}
