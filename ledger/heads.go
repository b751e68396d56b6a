package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/verify"
)

// Two heads: the newest checkpoint that the log has signed, and the newest that
// reached the quorum of Config.WitnessPolicy. Records are answered for under the
// first and never wait for the second. Package cosign asks the witnesses; it
// calls Head, Grown, Consistency, Extends, Cosigned and Halt.

var (
	// ErrNotExtended: the log is not what a checkpoint has grown to, or is
	// smaller. If this ledger's key signed that checkpoint, there are two
	// histories.
	ErrNotExtended = errors.New("the log does not extend this checkpoint")
	// ErrNoWitnesses: this ledger has no witness policy.
	ErrNoWitnesses = errors.New("this ledger asks no witnesses")
	// ErrPending: no checkpoint that covers the record has reached the
	// quorum yet. The record is logged.
	ErrPending = errors.New("the record is logged, and too few witnesses have cosigned it so far")
)

// A Witness is what is known of one that is asked to cosign.
type Witness struct {
	Name string // in the witness policy
	URL  string
	// Size is the largest tree that it cosigned, 0 if none; At when it last
	// did, by its own clock, in seconds since 1970.
	Size int64
	At   int64
	// Error says why the last request failed, "" if it did not; ErrorAt when,
	// in seconds since 1970.
	Error   string
	ErrorAt int64
	// Faulty says that it answered what no honest witness can.
	Faulty bool
}

// heads is the part of a Ledger that knows of witnesses.
type heads struct {
	policy *verify.Policy // with the ledger's key; nil without witnesses
	kept   *kept          // nil if none are kept
	began  *published     // what was signed at the start: served until there is a witnessed one

	mu        sync.Mutex // for what follows
	newest    *published // that reached the quorum, nil before there is one
	moved     chan struct{}
	waits     map[int64]chan struct{} // by size: closed once the signed head is larger
	witnesses func() []Witness
	unmarked  string // why no timemarks are made
}

// asksWitnesses returns the policy of Config.WitnessPolicy if it has a quorum.
func asksWitnesses(cfg Config) (*verify.Policy, error) {
	p := cfg.WitnessPolicy
	if p == nil || p.Quorum() == noQuorum {
		return nil, nil
	}
	if cfg.Checkpoints == "" {
		return nil, errors.New("ledger: Config.WitnessPolicy without Config.Checkpoints")
	}
	for _, log := range p.Logs() {
		if log.Key.String() == cfg.VKey {
			return p, nil
		}
	}
	return nil, fmt.Errorf("the witness policy is for another log: its log lines don't name %s", cfg.VKey)
}

// noQuorum is the quorum of a policy that asks nobody.
const noQuorum = "none"

// SetWitnesses says where Info learns how the witnesses are.
func (l *Ledger) SetWitnesses(witnesses func() []Witness) {
	l.heads.mu.Lock()
	defer l.heads.mu.Unlock()
	l.heads.witnesses = witnesses
}

// Head returns the newest checkpoint that the log has signed: only its own
// signature lines. While Config.BeforeSigning runs it is that of the committed
// tree, and has no note.
func (l *Ledger) Head() verify.Signed {
	p := l.head.Load()
	return verify.Signed{Checkpoint: p.Checkpoint, Note: p.note, LogKey: l.own.Logs()[0].Key}
}

// Grown returns a channel that is closed once the signed head is larger than
// size.
func (l *Ledger) Grown(size int64) <-chan struct{} {
	h := &l.heads
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.waits[size]
	if !ok {
		c = make(chan struct{})
		if l.head.Load().Size > size {
			close(c)
			return c
		}
		h.waits[size] = c
	}
	return c
}

// grew lets those go on who wait for the signed head, which was stored.
func (h *heads) grew(size int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for above, c := range h.waits {
		if size > above {
			close(c)
			delete(h.waits, above)
		}
	}
}

// Consistency proves that the tree of size cur extends that of size old
// (RFC 6962, Section 2.1.2); 0 < old <= cur <= the size of Head.
func (l *Ledger) Consistency(ctx context.Context, old, cur int64) ([]tlog.Hash, error) {
	head := l.head.Load()
	if old <= 0 || old > cur || cur > head.Size {
		return nil, fmt.Errorf("no proof from size %d to %d in a log of size %d", old, cur, head.Size)
	}
	proof, err := tlog.ProveTree(cur, old, keptOrTiles{&head.nodes, tileReader{ctx, l.cfg.Log}})
	if err != nil {
		return nil, fmt.Errorf("prove that the tree of size %d extends that of size %d: %w", cur, old, err)
	}
	return proof, nil
}

// Extends returns nil if the tree of Head is what c has grown to. The error wraps
// ErrNotExtended if it is not, or is smaller.
func (l *Ledger) Extends(ctx context.Context, c verify.Checkpoint) error {
	head := l.head.Load()
	switch {
	case c.Origin != l.origin:
		return fmt.Errorf("a checkpoint of %q: %w: this is the ledger %q", c.Origin, verify.ErrOrigin, l.origin)
	case c.Size > head.Size:
		return fmt.Errorf("%w: it is of size %d, and the log has %d records", ErrNotExtended, c.Size, head.Size)
	}
	root := verify.EmptyRoot
	if c.Size > 0 {
		var err error
		if root, err = l.roots.of(ctx, c.Size, &head.nodes); err != nil {
			return err
		}
	}
	if root != c.Root {
		return fmt.Errorf("%w: it has the root %v at size %d, and the log %v", ErrNotExtended, c.Root, c.Size, root)
	}
	return nil
}

// Cosigned takes a checkpoint of Head, or of a head before, with cosignatures
// that reach the quorum of the witness policy. When Cosigned returns it is on the
// disk, and, unless a larger one came before, the one that is served. The error
// wraps ErrNotExtended if the log does not extend it, or is one of
// verify.Policy.Open or of the disk; nothing changes then.
func (l *Ledger) Cosigned(ctx context.Context, note []byte) error {
	h := &l.heads
	if h.policy == nil {
		return ErrNoWitnesses
	}
	signed, err := h.policy.Open(note)
	if err != nil {
		return err
	}
	if err := l.Extends(ctx, signed.Checkpoint); err != nil {
		return err
	}
	if err := h.kept.put(signed, h.times(signed)); err != nil {
		return fmt.Errorf("keep the witnessed checkpoint of size %d: %w", signed.Checkpoint.Size, err)
	}
	if !h.take(l.witnessed(signed)) {
		return nil
	}
	l.cfg.Metrics.Witnessed.Set(float64(signed.Checkpoint.Size))
	l.nudge()
	return h.kept.thin()
}

// times returns when the witnesses of a checkpoint saw it, in seconds since 1970;
// 0 if they don't say.
func (h *heads) times(s verify.Signed) int64 {
	_, notAfter, _ := h.policy.Times(s.Cosignatures)
	return notAfter
}

// witnessed makes a checkpoint one that receipts can rest on.
func (l *Ledger) witnessed(s verify.Signed) *published {
	return &published{Checkpoint: s.Checkpoint, note: s.Note, nodes: l.head.Load().nodes, support: &supportCache{made: map[int64]verify.Support{}}}
}

// take makes p the newest witnessed head, unless there is a larger one, and wakes
// who waits for it.
func (h *heads) take(p *published) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.newest != nil && p.Size < h.newest.Size {
		return false
	}
	if h.newest != nil && p.Size == h.newest.Size {
		p.support = h.newest.support // the same tree: the same proofs
	}
	h.newest = p
	close(h.moved)
	h.moved = make(chan struct{})
	return true
}

// Halt stops the ledger for good, with the reason: no more is signed. Who was
// waiting is answered with an error that wraps ErrHalted.
func (l *Ledger) Halt(reason error) { _ = l.halt(reason) }

// last returns the newest witnessed head, nil if there is none, and a channel
// that is closed when there is another one.
func (h *heads) last() (*published, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.newest, h.moved
}

// served returns what ReadFile answers as the checkpoint. With a witness policy
// it moves only with the quorum: a reader must never see a smaller one after a
// larger one, as it would if the log-signed head were shown until the witnesses
// catch up with it. So before the first witnessed head it is the head with which
// the ledger was started.
func (l *Ledger) served() *published {
	if l.heads.policy == nil {
		return l.head.Load()
	}
	if p, _ := l.heads.last(); p != nil {
		return p
	}
	if l.heads.began == nil { // nothing is signed yet
		return l.head.Load()
	}
	return l.heads.began
}

// covering returns the head that a receipt for the record at index rests on: the
// newest witnessed one if it covers the record, else the newest signed one.
func (l *Ledger) covering(index int64) *published {
	if p, _ := l.heads.last(); p != nil && index < p.Size {
		return p
	}
	return l.head.Load()
}

// AsksWitnesses reports whether there is a witness policy.
func (l *Ledger) AsksWitnesses() bool { return l.heads.policy != nil }

// AwaitWitnessed returns once a checkpoint that reached the quorum covers the
// record at index. The error wraps ErrNoWitnesses; ErrPending and ctx.Err if ctx
// ended before; ErrStopping or ErrHalted. Who waits takes no place in the queue.
func (l *Ledger) AwaitWitnessed(ctx context.Context, index int64) error {
	if l.heads.policy == nil {
		return ErrNoWitnesses
	}
	for {
		p, moved := l.heads.last()
		if p != nil && index < p.Size {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrPending, ctx.Err())
		case <-l.closed:
			return ErrStopping
		case <-l.halted:
			return l.haltErr
		}
	}
}

// BareReceipt returns the receipt without extra of the record at index: in the
// newest witnessed checkpoint if that covers it, else in the newest one. The
// error wraps fs.ErrNotExist if the log has no such record.
func (l *Ledger) BareReceipt(ctx context.Context, index int64) ([]byte, error) {
	head := l.covering(index)
	if index < 0 || index >= head.Size {
		return nil, fmt.Errorf("no record %d in this ledger: %w", index, fs.ErrNotExist)
	}
	leaf, err := tileReader{ctx, l.cfg.Log}.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
	if err != nil {
		return nil, fmt.Errorf("read record %d: %w", index, err)
	}
	return l.bare(ctx, index, leaf[0], head)
}

// Checkpoint returns the first kept witnessed checkpoint that covers the record
// at index, as cosigned. The error wraps fs.ErrNotExist if there is none yet.
func (l *Ledger) Checkpoint(_ context.Context, index int64) ([]byte, error) {
	if l.heads.kept == nil {
		return nil, fmt.Errorf("this ledger keeps no witnessed checkpoints: %w", fs.ErrNotExist)
	}
	return l.heads.kept.covering(index, func(note []byte) error {
		_, err := l.own.Open(note)
		return err
	})
}

// loadWitnessed reads the newest witnessed head back, before anything is signed.
// One that this ledger's key signed and its log does not extend is an error. A
// file that is damaged is set aside: what it protects from, a log that has lost
// records, the guard has excluded already, and the witnesses will be asked again.
func (l *Ledger) loadWitnessed(head tree.Head) error {
	w, h := &l.writer, &l.heads
	if l.cfg.Checkpoints == "" {
		return nil
	}
	var err error
	if h.kept, err = openKept(l.cfg.Checkpoints); err != nil {
		return err
	}
	note, err := h.kept.newest()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	own, err := l.own.Open(note)
	if err != nil {
		l.cfg.Logger.Warn("the newest witnessed checkpoint can't be read and is set aside; the witnesses are asked again",
			slog.String("dir", l.cfg.Checkpoints), slog.Any("error", err))
		return h.kept.setAside(damaged)
	}
	if err := w.extends(own.Checkpoint, head); err != nil {
		return fmt.Errorf("%w: %s, its newest: %w", ErrHalted, l.cfg.Checkpoints, err)
	}
	if h.policy == nil { // what is served meanwhile will be larger
		return h.kept.setAside(former)
	}
	signed, err := h.policy.Open(note)
	if err != nil {
		l.cfg.Logger.Info("the newest witnessed checkpoint does not satisfy the witness policy of now", slog.Any("error", err))
		return h.kept.setAside(former)
	}
	h.newest = &published{Checkpoint: signed.Checkpoint, note: signed.Note, nodes: w.nodes.snapshot(),
		support: &supportCache{made: map[int64]verify.Support{}}}
	h.kept.latest, h.kept.now = signed.Checkpoint.Size, h.times(signed)
	l.cfg.Metrics.Witnessed.Set(float64(signed.Checkpoint.Size))
	return nil
}
