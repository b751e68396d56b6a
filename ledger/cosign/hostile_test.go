package cosign_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/cosign"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/witness"
)

// post lets a peer lie about what it is asked to cosign, and be honest about what
// it keeps.
func post(lie func(w http.ResponseWriter, r *http.Request, body []byte)) func(http.ResponseWriter, *http.Request, []byte) bool {
	return func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.Method == http.MethodPost {
			lie(w, r, body)
		}
		return r.Method == http.MethodPost
	}
}

func conflict(w http.ResponseWriter, size string) {
	w.Header().Set("Content-Type", witness.SizeType)
	w.WriteHeader(http.StatusConflict)
	io.WriteString(w, size)
}

// cosigned is the line of a peer over any checkpoint.
func cosigned(t *testing.T, p *peer, c verify.Checkpoint) string {
	t.Helper()
	line, err := p.core.Cosigners[0].Cosign(c, time.Now().Unix())
	if err != nil {
		t.Error(err)
	}
	return line
}

// asked is the checkpoint of a request.
func asked(t *testing.T, b *bench, body []byte) verify.Checkpoint {
	t.Helper()
	r, err := witness.ParseRequest(body)
	if err != nil {
		t.Error(err)
	}
	s, err := parse(t, "log "+b.log.key.String(), "quorum none").Open(r.Checkpoint)
	if err != nil {
		t.Error(err)
	}
	return s.Checkpoint
}

// TestHostile: whatever one witness does, the two others reach the quorum as
// quickly as without it, nothing of what it says is handed over, and the operator
// is told.
func TestHostile(t *testing.T) {
	other := verify.Checkpoint{Origin: origin, Size: 7, Root: tlog.RecordHash([]byte("another tree"))}
	for _, test := range []struct {
		name   string
		lie    func(t *testing.T, b *bench, w http.ResponseWriter, r *http.Request, body []byte)
		faulty bool
		want   string // in what the operator is told
	}{
		{"422", func(_ *testing.T, _ *bench, w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}, true, "the log's own check holds"},
		{"409 with a larger size", func(_ *testing.T, _ *bench, w http.ResponseWriter, _ *http.Request, _ []byte) {
			conflict(w, "1000000\n")
		}, true, "it has cosigned size 1000000"},
		{"409 with the largest size", func(_ *testing.T, _ *bench, w http.ResponseWriter, _ *http.Request, _ []byte) {
			conflict(w, "99999999999999999999\n")
		}, false, "409 without a size"},
		{"409 with what it was asked from", func(_ *testing.T, _ *bench, w http.ResponseWriter, _ *http.Request, body []byte) {
			r, _ := witness.ParseRequest(body)
			conflict(w, fmt.Sprintf("%d\n", r.Old))
		}, true, "it has cosigned size 0"},
		{"409 with another size each time", func(_ *testing.T, _ *bench, w http.ResponseWriter, _ *http.Request, body []byte) {
			r, _ := witness.ParseRequest(body)
			conflict(w, fmt.Sprintf("%d\n", r.Old%5+1))
		}, false, "409 again"},
		{"409 with words", func(_ *testing.T, _ *bench, w http.ResponseWriter, _ *http.Request, _ []byte) {
			conflict(w, "seven\n")
		}, false, "409 without a size"},
		{"one byte a second", func(_ *testing.T, _ *bench, w http.ResponseWriter, r *http.Request, _ []byte) {
			for r.Context().Err() == nil {
				io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				select {
				case <-time.After(time.Second):
				case <-r.Context().Done():
				}
			}
		}, false, "deadline"},
		{"megabytes", func(_ *testing.T, _ *bench, w http.ResponseWriter, r *http.Request, _ []byte) {
			for range 64 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}, false, "an answer of more than"},
		{"megabytes of header", func(_ *testing.T, _ *bench, w http.ResponseWriter, r *http.Request, _ []byte) {
			w.Header().Set("X", strings.Repeat("x", 4<<20))
		}, false, "header"},
		{"nothing at all", func(_ *testing.T, _ *bench, _ http.ResponseWriter, r *http.Request, _ []byte) {
			<-r.Context().Done()
		}, false, "deadline"},
		{"hangs up", func(_ *testing.T, _ *bench, w http.ResponseWriter, _ *http.Request, _ []byte) {
			panic(http.ErrAbortHandler)
		}, false, "/add-checkpoint"},
		{"another key's signature", func(t *testing.T, b *bench, w http.ResponseWriter, _ *http.Request, body []byte) {
			io.WriteString(w, cosigned(t, newPeer(t, "stranger", b.policy()), asked(t, b, body)))
		}, false, "without a cosignature by w1.example/w"},
		{"another witness's signature", func(t *testing.T, b *bench, w http.ResponseWriter, _ *http.Request, body []byte) {
			io.WriteString(w, cosigned(t, b.peers[1], asked(t, b, body)))
		}, false, "without a cosignature by w1.example/w"},
		{"a cosignature over another head", func(t *testing.T, b *bench, w http.ResponseWriter, _ *http.Request, _ []byte) {
			io.WriteString(w, cosigned(t, b.peers[0], other))
		}, true, "signature does not hold"},
		{"a whole note of another head", func(t *testing.T, b *bench, w http.ResponseWriter, _ *http.Request, _ []byte) {
			io.WriteString(w, other.Text()+"\n"+cosigned(t, b.peers[0], other))
		}, false, "checkpoint"},
		{"its signature twice", func(t *testing.T, b *bench, w http.ResponseWriter, _ *http.Request, body []byte) {
			io.WriteString(w, strings.Repeat(cosigned(t, b.peers[0], asked(t, b, body)), 2))
		}, false, "two signatures by"},
		{"200 with nothing", func(*testing.T, *bench, http.ResponseWriter, *http.Request, []byte) {}, false, "without a cosignature"},
		{"200 with garbage", func(_ *testing.T, _ *bench, w http.ResponseWriter, _ *http.Request, _ []byte) {
			io.WriteString(w, "<!doctype html><p>It works!\n")
		}, false, "200 and no signature lines"},
		{"a signature cut short", func(t *testing.T, b *bench, w http.ResponseWriter, _ *http.Request, body []byte) {
			io.WriteString(w, cosigned(t, b.peers[0], asked(t, b, body))[:60])
		}, false, "200 and no signature lines"},
		{"elsewhere", func(_ *testing.T, b *bench, w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, b.peers[1].server.URL+"/add-checkpoint", http.StatusTemporaryRedirect)
		}, false, "where nobody goes"},
		{"404", func(_ *testing.T, _ *bench, w http.ResponseWriter, r *http.Request, _ []byte) { http.NotFound(w, r) }, false, "does not know this log"},
		{"403", func(_ *testing.T, _ *bench, w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(403) }, false, "does not take this log's signature"},
		{"429 for ever", func(_ *testing.T, _ *bench, w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Retry-After", "1000000000")
			w.WriteHeader(http.StatusTooManyRequests)
		}, false, "asked too often"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 5)
			b.config.Deadline, b.config.Grace = time.Second, 20*time.Millisecond
			b.peers[0].lies(post(func(w http.ResponseWriter, r *http.Request, body []byte) { test.lie(t, b, w, r, body) }))
			b.run()
			for _, size := range []int{5, 6, 7} {
				b.log.grow(size)
				b.log.await(int64(size), "w2", "w3")
			}
			w := b.until("w1", "told of", func(w ledger.Witness) bool { return w.Error != "" })
			if w.Size != 0 || w.Faulty != test.faulty || !strings.Contains(w.Error, test.want) {
				t.Errorf("%+v, want %q", w, test.want)
			}
			if err := b.log.haltedBy(); err != nil {
				t.Errorf("halted: %v", err)
			}
			b.log.mu.Lock()
			for _, n := range b.log.cosigned {
				if strings.Contains(string(n), "w1.example") || strings.Contains(string(n), "stranger") {
					t.Errorf("handed over %q", n)
				}
			}
			b.log.mu.Unlock()
			if files, err := filepath.Glob(filepath.Join(b.config.Dir, "evidence-*")); err != nil || len(files) > 0 {
				t.Errorf("evidence without a fork: %q, %v", files, err)
			}
			start := time.Now()
			if err := b.stop(); err != nil || time.Since(start) > 10*time.Second {
				t.Errorf("stopped with %v after %v", err, time.Since(start))
			}
		})
	}
}

// TestSlow: a witness that hangs does not delay the next rounds, and what a slow
// one signs late still counts.
func TestSlow(t *testing.T) {
	b := newBench(t, 5)
	b.config.Deadline = 10 * time.Second
	b.config.Grace = time.Millisecond
	release := make(chan struct{})
	b.peers[2].lies(func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return false
	})
	b.run()
	for size := 5; size < 15; size++ {
		b.log.grow(size)
		b.log.await(int64(size), "w1", "w2")
	}
	close(release)
	b.log.await(14, "w1", "w2", "w3")

	// The head that a quorum signs after the deadline is handed over, too.
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	b.config.Deadline = 600 * time.Millisecond
	late := func(_ http.ResponseWriter, _ *http.Request, _ []byte) bool {
		time.Sleep(800 * time.Millisecond)
		return false
	}
	for _, p := range b.peers {
		p.lies(late)
	}
	b.log.grow(20)
	b.run()
	b.log.await(20, "w1", "w2")
}

// TestRetryAfter: a witness that asks to be left alone is.
func TestRetryAfter(t *testing.T) {
	b := newBench(t, 5)
	b.peers[0].lies(post(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	b.run()
	b.until("w1", "left alone", func(w ledger.Witness) bool { return w.Error != "" })
	for size := 6; size < 12; size++ {
		b.log.grow(size)
		b.log.await(int64(size), "w2", "w3")
	}
	if n := b.peers[0].times(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestFork: of a log whose key signed another history, which a witness has, the
// evidence is kept, it proves the fork to whoever has the log's key, and the log
// is halted.
func TestFork(t *testing.T) {
	for _, test := range []struct {
		name string
		has  verify.Signed
		kind verify.Kind
	}{
		{"smaller", newLog(t, "second").grow(5).Head(), verify.KindFork},
		{"same size", newLog(t, "second").grow(20).Head(), verify.KindFork},
		{"larger", newLog(t, "second").grow(33).Head(), verify.KindRollback},
		{"set back", newLog(t, "first").grow(33).Head(), verify.KindRollback},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, 20)
			b.peers[1].feed(t, test.has)
			b.run()
			deadline := time.After(20 * time.Second)
			for b.log.haltedBy() == nil {
				select {
				case <-deadline:
					t.Fatalf("not halted: %+v", b.c.Witnesses())
				case <-time.After(2 * time.Millisecond):
				}
			}
			halted := b.log.haltedBy()
			if err := b.stop(); err == nil || !errors.Is(err, ledger.ErrNotExtended) || err.Error() != halted.Error() {
				t.Errorf("halted with %v, and Run ended with %v", halted, err)
			}
			e := readEvidence(t, b, halted)
			if e.Kind != test.kind {
				t.Errorf("evidence of kind %s, want %s", e.Kind, test.kind)
			}
			old, new := e.Old, e.New
			if test.kind == verify.KindRollback {
				old, new = new, old
			}
			if old != string(mustNewest(t, b.peers[1])) || new != string(b.log.Head().Note) {
				t.Errorf("evidence has %q and %q", old, new)
			}
			provesFork(t, b, e)
			// Whoever starts it again is told before anything is signed.
			c, err := cosign.Open(b.config)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Agreed(context.Background()); !errors.Is(err, ledger.ErrNotExtended) {
				t.Errorf("agreed: %v", err)
			}
		})
	}
}

func mustNewest(t *testing.T, p *peer) []byte {
	t.Helper()
	b, err := p.core.Newest(witness.ID(origin))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readEvidence reads the one file of evidence, which told names.
func readEvidence(t *testing.T, b *bench, told error) verify.Evidence {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(b.config.Dir, "evidence-*.json"))
	if err != nil || len(files) != 1 || !strings.Contains(told.Error(), files[0]) {
		t.Fatalf("evidence in %q (%v), told was %v", files, err, told)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	e, err := verify.ParseEvidence(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// provesFork checks evidence with nothing but the log's key.
func provesFork(t *testing.T, b *bench, e verify.Evidence) {
	t.Helper()
	key := parse(t, "log "+b.log.key.String(), "quorum none")
	if _, err := (verify.Policies{key}).Prove(e); e.Kind == verify.KindFork && err != nil {
		t.Errorf("docket-verify fork: %v", err)
	}
	old, err := key.Open([]byte(e.Old))
	if err != nil {
		t.Fatal(err)
	}
	cur, err := key.Open([]byte(e.New))
	if err != nil {
		t.Fatal(err)
	}
	if e.Kind != verify.KindFork {
		return
	}
	fork := verify.ForkError{Old: old.Checkpoint, New: cur.Checkpoint}
	if fork.Root, err = tlog.ParseHash(e.Root); err != nil {
		t.Fatal(err)
	}
	for _, p := range e.Proof {
		h, err := base64.StdEncoding.DecodeString(p)
		if err != nil || len(h) != tlog.HashSize {
			t.Fatal(err)
		}
		fork.Proof = append(fork.Proof, tlog.Hash(h))
	}
	if err := fork.Check(); err != nil {
		t.Error(err)
	}
}

// TestOwnFault: a log that no longer is what it signed is halted by the first
// complaint.
func TestOwnFault(t *testing.T) {
	b := newBench(t, 20)
	b.peers[0].lies(post(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		b.log.mu.Lock()
		b.log.lies = func(verify.Checkpoint) error { return fmt.Errorf("%w: a record was changed", ledger.ErrNotExtended) }
		b.log.mu.Unlock()
		w.WriteHeader(http.StatusUnprocessableEntity)
	}))
	b.run()
	deadline := time.After(20 * time.Second)
	for b.log.haltedBy() == nil {
		select {
		case <-deadline:
			t.Fatal("not halted")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// TestUnknown: if the log can't be read nobody is accused of anything.
func TestUnknown(t *testing.T) {
	b := newBench(t, 20)
	b.peers[0].lies(post(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		b.log.mu.Lock()
		b.log.lies = func(verify.Checkpoint) error { return errors.New("the disk does not answer") }
		b.log.mu.Unlock()
		w.WriteHeader(http.StatusUnprocessableEntity)
	}))
	b.run()
	w := b.until("w1", "told of", func(w ledger.Witness) bool { return w.Error != "" })
	if w.Faulty || b.log.haltedBy() != nil || !strings.Contains(w.Error, "the disk does not answer") {
		t.Errorf("%+v, halted by %v", w, b.log.haltedBy())
	}
}

// TestAgreed: the quorum has to answer, and what it shows has to be of this log.
func TestAgreed(t *testing.T) {
	b := newBench(t, 20)
	b.config.Deadline = 200 * time.Millisecond
	agreed := func() error {
		t.Helper()
		c, err := cosign.Open(b.config)
		if err != nil {
			t.Fatal(err)
		}
		return c.Agreed(context.Background())
	}
	if err := agreed(); err != nil {
		t.Errorf("of a log that nobody has seen: %v", err)
	}
	earlier := newLog(t, "first").grow(7).Head()
	for _, p := range b.peers {
		p.feed(t, earlier)
	}
	if err := agreed(); err != nil {
		t.Errorf("of a log that has grown: %v", err)
	}
	hang := func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		<-r.Context().Done()
		return true
	}
	b.peers[0].lies(hang)
	if err := agreed(); err != nil {
		t.Errorf("with two of three: %v", err)
	}
	for name, lie := range map[string]func(http.ResponseWriter, *http.Request, []byte) bool{
		"hangs": hang,
		"shows what it has not cosigned": func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			w.Write(earlier.Note)
			return true
		},
		"shows what the log has not signed": func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			io.WriteString(w, earlier.Checkpoint.Text()+"\n"+cosigned(t, b.peers[1], earlier.Checkpoint))
			return true
		},
		"shows garbage": func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			io.WriteString(w, "It works!")
			return true
		},
	} {
		b.peers[1].lies(lie)
		if err := agreed(); !errors.Is(err, cosign.ErrNotReached) || errors.Is(err, ledger.ErrNotExtended) || !strings.Contains(err.Error(), "w2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.peers[1].lies(nil)
	b.log.mu.Lock()
	b.log.head.Note = nil // nothing is signed yet
	b.log.mu.Unlock()
	b.peers[2].feedFrom(t, 7, newLog(t, "first").grow(40))
	if err := agreed(); !errors.Is(err, ledger.ErrNotExtended) || !strings.Contains(err.Error(), "w3") {
		t.Errorf("of a log that was set back: %v", err)
	}
}

// TestForgetful: a witness that has cosigned and says that it has nothing has not
// answered.
func TestForgetful(t *testing.T) {
	b := newBench(t, 20).run()
	b.log.await(20, "w1", "w2", "w3")
	b.log.grow(21) // what was cosigned is written with what is sent next
	b.log.await(21, "w1", "w2", "w3")
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	for _, p := range b.peers[:2] {
		p.lies(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			http.NotFound(w, r)
			return true
		})
	}
	c, err := cosign.Open(b.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Agreed(context.Background()); !errors.Is(err, cosign.ErrNotReached) || !strings.Contains(err.Error(), "does not show what it keeps") {
		t.Error(err)
	}
}
