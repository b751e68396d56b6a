// Package cosign is the log's side of c2sp.org/tlog-witness v1.0.0: it asks the
// witnesses of a trust policy to cosign what the log has signed, and hands over
// each checkpoint that reached the quorum.
//
// Nothing of the way a record takes waits for it. All witnesses are asked at once,
// each with a connection, an answer of bounded length and a time limit of its own,
// so that none slows the others. A round has two timers: the deadline for the
// quorum, and, once that is reached, a moment of grace for the rest. What comes
// later still counts for the checkpoint that it is about.
//
// # The incident rule
//
// If a witness answers 422, or 409 with a size above the log's, either there are
// two histories or it lies. So the log looks at its own tree and proof first, and
// then at the checkpoint that the witness keeps. The log is halted only if its own
// check fails, or for a note that bears its own signature and that its tree does
// not extend: that is kept as evidence. Else the witness is marked as faulty,
// asked again after a long while, and everything goes on.
//
// # Files
//
// In Config.Dir, outside the log's store: sent.json, what was last sent to each
// witness, written before it is sent; and evidence-….json (package verify).
package cosign

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify"
)

// A Log is what witnesses cosign. Its methods may be used concurrently.
type Log interface {
	// Head returns the newest checkpoint that the log has signed: only its own
	// signature lines.
	Head() verify.Signed
	// Grown returns a channel that is closed once the head is larger than size.
	Grown(size int64) <-chan struct{}
	// Consistency proves that the tree of size cur extends that of size old;
	// 0 < old <= cur <= Head.
	Consistency(ctx context.Context, old, cur int64) ([]tlog.Hash, error)
	// Extends returns nil if the tree of Head is what c has grown to. The error
	// wraps ledger.ErrNotExtended if it is not, or is smaller; any other one
	// says that this could not be found out.
	Extends(ctx context.Context, c verify.Checkpoint) error
	// Cosigned takes a checkpoint of Head or of before: the log's note with
	// cosignature lines that reach the quorum of the witness policy. It is
	// durable, kept and served when Cosigned returns. One that is smaller than
	// the last is only kept.
	Cosigned(ctx context.Context, note []byte) error
	// Halt stops the ledger for good, with the reason; evidence was written
	// before.
	Halt(reason error)
}

// Config is read by Open; later changes have no effect.
type Config struct {
	// Log is what is cosigned. Required.
	Log Log
	// Source has the log's tiles, of which the proof in evidence is made. By
	// default it is Log, if that is one.
	Source verify.Source
	// Policy names the log, its witnesses with their URLs, and a quorum.
	// Required.
	Policy *verify.Policy
	// Dir is an existing folder for sent.json and evidence. Required.
	Dir string
	// HTTP asks the witnesses. By default each has a client of its own, with
	// one connection.
	HTTP *http.Client
	// Now is the clock, by default time.Now.
	Now func() time.Time
	// Logger is told when a witness fails, returns or lies; by default nobody.
	Logger *slog.Logger
	// Metrics are counted in, by default in some that nobody sees.
	Metrics *Metrics

	// Interval is the least time between rounds, default 1 s. After a failure a
	// witness is left alone for as long, then for twice that, up to 64 times.
	Interval time.Duration
	// Deadline is how long a round waits for the quorum, default 5 s. A single
	// witness has twice as long to answer.
	Deadline time.Duration
	// Grace is how long a round waits for the others once the quorum is
	// reached, default 250 ms.
	Grace time.Duration
	// Heartbeat is after how long a log that did not grow is cosigned again,
	// default 10 min. A faulty witness is asked as rarely, and nobody is left
	// alone for longer, whatever its Retry-After says.
	Heartbeat time.Duration
}

func (c Config) checked() (Config, error) {
	c.Now = cmpFunc(c.Now, time.Now)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	c.Interval = cmp.Or(c.Interval, time.Second)
	c.Deadline = cmp.Or(c.Deadline, 5*time.Second)
	c.Grace = cmp.Or(c.Grace, 250*time.Millisecond)
	c.Heartbeat = cmp.Or(c.Heartbeat, 10*time.Minute)
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	if c.Source == nil {
		c.Source, _ = c.Log.(verify.Source)
	}
	switch {
	case c.Log == nil || c.Policy == nil || c.Dir == "":
		return c, errors.New("cosign: Config.Log, Policy or Dir is missing")
	case c.Source == nil:
		return c, errors.New("cosign: Config.Source is missing, and the log is none")
	case min(c.Interval, c.Deadline, c.Grace, c.Heartbeat) < 0:
		return c, errors.New("cosign: a time in Config is negative")
	}
	return c, nil
}

func cmpFunc(f, otherwise func() time.Time) func() time.Time {
	if f == nil {
		return otherwise
	}
	return f
}

// A Cosigner asks the witnesses of a log.
type Cosigner struct {
	cfg     Config
	origin  string
	own     *verify.Policy // the log's keys, without witnesses
	logKeys []verify.VKey
	peers   []*peer
	answers chan answer // one place for each witness

	// For Run alone.
	rounds   int // so far
	last     *round
	started  time.Time // the newest round
	full     time.Time // the newest round in which all were asked
	requests sync.WaitGroup

	mu   sync.Mutex // for sent, and for witness.state
	sent sentFile
}

// Open reads what was sent to the witnesses before. The error wraps
// ledger.ErrNotExtended if the log does not extend that: then it has lost
// records, or an older copy was put in its place, and must not sign. It says what
// is wrong with a policy that can't be reached: witnesses are asked at their URLs.
func Open(cfg Config) (*Cosigner, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	c := &Cosigner{cfg: cfg, origin: cfg.Log.Head().Checkpoint.Origin}
	if err := c.readPolicy(); err != nil {
		return nil, err
	}
	c.answers = make(chan answer, len(c.peers))
	if c.sent, err = openSent(filepath.Join(cfg.Dir, sentName), c.origin, cfg.Logger); err != nil {
		return nil, err
	}
	for _, w := range c.peers {
		s, ok := c.sent.by[keyName(w.Key)]
		if !ok {
			continue
		}
		cp := verify.Checkpoint{Origin: c.origin, Size: s.Size, Root: s.Root}
		if err := cfg.Log.Extends(context.Background(), cp); err != nil {
			return nil, fmt.Errorf("%s says that a checkpoint of size %d was sent to the witness %s: %w. "+
				"Put back the newer log, or restore it from a mirror", c.sent.path, s.Size, w.Name, err)
		}
		w.known, w.before = s.Size, cp
	}
	return c, nil
}

// readPolicy finds whom to ask.
func (c *Cosigner) readPolicy() error {
	var own strings.Builder
	for _, l := range c.cfg.Policy.Logs() {
		if l.Key.Name == c.origin {
			c.logKeys = append(c.logKeys, l.Key)
			own.WriteString("log " + l.Key.String() + "\n")
		}
	}
	if len(c.logKeys) == 0 {
		return fmt.Errorf("the witness policy names no key of this log, %s", c.origin)
	}
	var err error
	if c.own, err = verify.ParsePolicy([]byte(own.String() + "quorum none\n")); err != nil {
		return err
	}
	var names []string
	for _, w := range c.cfg.Policy.Witnesses() {
		one := &peer{Witness: w, state: ledger.Witness{Name: w.Name, URL: w.URL}}
		c.peers = append(c.peers, one)
		if w.URL == "" {
			one.state.Error = "the witness policy has no URL for it: it is never asked"
			continue
		}
		u, err := url.Parse(w.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("the witness policy has the URL %q for %s: want one like https://witness.example.com/", w.URL, w.Name)
		}
		one.base = strings.TrimSuffix(w.URL, "/")
		one.http = client(c.cfg.HTTP)
		names = append(names, w.Name)
	}
	if !c.cfg.Policy.Reached(names) {
		return fmt.Errorf("the witness policy demands %s, but has URLs of %q only: put the URL at the end of each witness line", c.cfg.Policy.Quorum(), names)
	}
	return nil
}

// Witnesses returns how the witnesses are, in the order of the policy. It may be
// called concurrently with everything.
func (c *Cosigner) Witnesses() []ledger.Witness {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []ledger.Witness
	for _, w := range c.peers {
		all = append(all, w.state)
	}
	return all
}
