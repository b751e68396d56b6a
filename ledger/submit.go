package ledger

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Options change what Submit does.
type Options struct {
	// LogVoid logs a record that the rules refuse, as void, to show that it
	// was tried: only if every signer is a decider, registrar or appeals
	// officer in force, and only Config.VoidsPerDay times a day. What
	// admission refuses, what can't be opened, and what was signed on another
	// log (seen.mismatch: keep it as evidence) is refused all the same.
	LogVoid bool

	// Checked, if set, is called with each record that was not known and
	// whose signatures hold, before it waits for the writer; its error is
	// returned, and nothing is recorded. It may be called concurrently.
	Checked func(record.Checked) error
}

// An Outcome is the answer to a record.
type Outcome struct {
	ID    record.ID
	Index int64
	// Known says that the log held the record before, or another effective
	// one that states the same; the outcome is that record's then.
	Known bool
	// Standing says whether it is effective.
	Standing rules.Standing
	// Receipt is the bare receipt: a c2sp.org/tlog-proof without extra. It
	// was checked with package verify.
	Receipt []byte
}

// A waiter is a record on its way. The writer answers each once, on every way
// out; the channel has room for the answer, so that never blocks.
type waiter struct {
	record  record.Checked
	leaf    tlog.Hash
	payload []byte
	options Options
	answer  chan answer
	mark    bool // a timemark of this ledger: it takes no place in the queue
}

type answer struct {
	outcome Outcome
	leaf    tlog.Hash  // of the record in the log, which may be another one with the same payload
	head    *published // nil if the outcome has its receipt
	err     error
}

// Submit records b and returns the proof that the log holds it.
//
// It returns once the tree that holds the record is on stable storage, its
// checkpoint signed and guarded. If ctx ends first, the record may still be
// recorded; submitting the same bytes again is safe and yields the receipt.
//
// The error is a *RefusedError if the record is at fault; ErrBusy, ErrStopping,
// ErrDiskFull or ErrHalted otherwise, each of which says what to do. b is
// retained and must not be changed. Submit may be called concurrently.
func (l *Ledger) Submit(ctx context.Context, b []byte, opt Options) (Outcome, error) {
	if l.shared == nil {
		return l.submit(ctx, b, opt)
	}
	once := opt
	if checked := opt.Checked; checked != nil {
		once.Checked = func(r record.Checked) error {
			opt.Checked = nil
			return checked(r)
		}
	}
	out, err := l.submit(ctx, b, once)
	if refused := (*RefusedError)(nil); errors.As(err, &refused) && l.look(ctx) {
		return l.submit(ctx, b, opt) // what it rests on may have been elsewhere
	}
	return out, err
}

func (l *Ledger) submit(ctx context.Context, b []byte, opt Options) (Outcome, error) {
	if len(l.slots) == cap(l.slots) {
		return Outcome{}, l.busy() // before anything is spent on it
	}
	w, known, err := l.examined(ctx, b, opt)
	if err == nil && w != nil {
		err = l.enqueue(ctx, w, false)
	}
	if err != nil {
		return Outcome{}, err
	}
	return l.outcome(ctx, w, known)
}

// outcome waits for the answer to w, unless the record was known.
func (l *Ledger) outcome(ctx context.Context, w *waiter, known *Outcome) (Outcome, error) {
	if known != nil {
		return *known, nil
	}
	select {
	case a := <-w.answer:
		if a.err != nil {
			return Outcome{}, a.err
		}
		return l.receipted(ctx, a)
	case <-ctx.Done():
		return Outcome{}, ctx.Err()
	}
}

// examined is check, with Options.Checked, while Close waits.
func (l *Ledger) examined(ctx context.Context, b []byte, opt Options) (*waiter, *Outcome, error) {
	if err := l.enter(); err != nil {
		return nil, nil, err
	}
	defer l.callers.Done() // also if the check panics: Close would wait for it
	w, known, err := l.check(ctx, b, opt)
	if err == nil && w != nil && opt.Checked != nil {
		err = opt.Checked(w.record)
	}
	return w, known, err
}

// enqueue hands a record to the writer, who frees its place with the answer. The
// places are for records whose signatures hold, so whoever has no key of this
// ledger takes none. If there is no place it says so, or waits for one.
func (l *Ledger) enqueue(ctx context.Context, w *waiter, wait bool) error {
	if err := l.enter(); err != nil {
		return err
	}
	defer l.callers.Done()
	select {
	case l.slots <- struct{}{}:
	default:
		if !wait {
			return l.busy()
		}
		select {
		case l.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	l.queue <- w // has room for every slot
	return nil
}

func (l *Ledger) busy() error {
	l.cfg.Metrics.Submitted.WithLabelValues("busy").Inc()
	return ErrBusy
}

// enter keeps Close waiting until callers.Done, or says why nothing is taken.
func (l *Ledger) enter() error {
	if err := l.Ready(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return ErrStopping
	}
	l.callers.Add(1)
	return nil
}

// check does all that can be done in the caller: whether the record is known,
// its spelling, its signatures and its age. It returns a waiter for the writer,
// or the outcome of a record that is known.
func (l *Ledger) check(ctx context.Context, b []byte, opt Options) (*waiter, *Outcome, error) {
	leaf := tlog.RecordHash(b)
	known, err := l.known(ctx, leaf)
	if err != nil || known != nil {
		return nil, known, err
	}
	u, err := record.Parse(b)
	if err != nil {
		return nil, nil, l.refuse(record.CodeOf(err), err)
	}
	payload := u.PayloadBytes()
	if known, err = l.knownPayload(ctx, payload); err != nil || known != nil {
		return nil, known, err
	}
	r, err := u.Verify(&l.keys)
	if err != nil {
		return nil, nil, l.refuse(record.CodeOf(err), err)
	}
	if err := l.admissible(r); err != nil {
		return nil, nil, err
	}
	head := l.head.Load()
	for _, h := range r.Headers() { // warm the memo, off the writer's path
		if size := h.Seen.Size; size > 0 && size <= head.Size {
			if _, err := l.roots.of(ctx, size, &head.nodes); err != nil {
				return nil, nil, err
			}
		}
	}
	return &waiter{record: r, leaf: leaf, payload: payload, options: opt, answer: make(chan answer, 1)}, nil, nil
}

func (l *Ledger) refuse(code rules.Code, detail error) error {
	l.cfg.Metrics.Submitted.WithLabelValues("refused").Inc()
	return &RefusedError{Codes: []rules.Code{code}, Detail: detail}
}

// admissible adds what needs a clock or the log key.
func (l *Ledger) admissible(r record.Checked) error {
	if p, ok := r.Payload().(*record.CharterAmend); ok {
		if err := l.keepsKey(p); err != nil {
			return err
		}
	}
	info, err := l.keys.charter()
	if err != nil {
		return err
	}
	now := l.cfg.Now().Unix()
	for _, h := range r.Headers() {
		if limit := now + info.Charter.Tolerance; h.IAT > limit {
			return l.refuse(IATAhead, fmt.Errorf("%s: signed at %s, and it is %s: set the signer's clock and sign again",
				IATAhead, record.Time(h.IAT), record.Time(now)))
		}
		if limit := now - info.Charter.DraftLife*3600; h.IAT < limit {
			return l.refuse(DraftExpired, fmt.Errorf("%s: signed at %s, more than %d hours ago: sign again",
				DraftExpired, record.Time(h.IAT), info.Charter.DraftLife))
		}
	}
	return nil
}

// known returns the outcome of the record with this leaf hash, or nil.
func (l *Ledger) known(ctx context.Context, leaf tlog.Hash) (*Outcome, error) {
	index, err := l.cfg.Log.Index(ctx, leaf)
	if errors.Is(err, tree.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", record.HashID(leaf), err)
	}
	head := l.head.Load()
	if index >= head.Size {
		return nil, nil // on its way this moment: the writer finds it
	}
	return l.knownAt(ctx, index, leaf, head)
}

func (l *Ledger) knownAt(ctx context.Context, index int64, leaf tlog.Hash, head *published) (*Outcome, error) {
	s, err := l.standing(index, leaf)
	if err != nil {
		return nil, err
	}
	receipt, err := l.bare(ctx, index, leaf, head)
	if err != nil {
		return nil, err
	}
	l.cfg.Metrics.Submitted.WithLabelValues("known").Inc()
	return &Outcome{ID: s.ID, Index: index, Known: true, Standing: s, Receipt: receipt}, nil
}

// knownPayload returns the outcome of the effective record that states the
// same, or nil.
func (l *Ledger) knownPayload(ctx context.Context, payload []byte) (*Outcome, error) {
	index, ok, err := l.cfg.State.Payload(payload)
	if err != nil || !ok {
		return nil, err
	}
	head := l.head.Load()
	if index >= head.Size {
		return nil, nil
	}
	leaf, same, err := l.samePayload(ctx, index, payload)
	if err != nil || !same {
		return nil, err
	}
	return l.knownAt(ctx, index, leaf, head)
}

// samePayload compares a payload with that of the record at index, since state
// keeps only a part of its hash.
func (l *Ledger) samePayload(ctx context.Context, index int64, payload []byte) (tlog.Hash, bool, error) {
	leaves, err := l.cfg.Log.Leaves(ctx, index, index+1)
	if err != nil {
		return tlog.Hash{}, false, fmt.Errorf("read record %d: %w", index, err)
	}
	u, err := record.Parse(leaves[0])
	if err != nil {
		return tlog.Hash{}, false, fmt.Errorf("read record %d: %w", index, err)
	}
	return u.Leaf(), string(u.PayloadBytes()) == string(payload), nil
}

// keyring is the record.Keys of the state: keys never change under their
// thumbprint, so what was read once is kept.
type keyring struct {
	store *state.Store
	keys  sync.Map // kid -> crypto.PublicKey
	once  sync.Mutex
	info  *rules.CharterInfo
}

// charter returns the charter in force; fs.ErrNotExist before there is one.
func (k *keyring) charter() (*rules.CharterInfo, error) {
	k.once.Lock()
	defer k.once.Unlock()
	if k.info == nil {
		info, err := rules.ReadCharter(k.store)
		if err != nil {
			return nil, err
		}
		if info == nil {
			return nil, fmt.Errorf("the ledger has no charter: %w", fs.ErrNotExist)
		}
		k.info = info
	}
	return k.info, nil
}

// forget reads the charter anew: it was amended.
func (k *keyring) forget() {
	k.once.Lock()
	defer k.once.Unlock()
	k.info = nil
}

// Origin implements record.Keys.
func (k *keyring) Origin() string {
	info, err := k.charter()
	if err != nil {
		return ""
	}
	return info.Charter.Ledger
}

// Key implements record.Keys. A key that can't be read is unknown.
func (k *keyring) Key(kid string) crypto.PublicKey {
	if key, ok := k.keys.Load(kid); ok {
		return key
	}
	info, err := rules.ReadKey(k.store, kid)
	if err != nil || info == nil {
		return nil
	}
	key, err := info.JWK.Key()
	if err != nil {
		return nil
	}
	k.keys.Store(kid, key)
	return key
}

// clockDay numbers the days (UTC) for Config.VoidsPerDay.
func clockDay(t time.Time) int64 { return t.Unix() / 86400 }
