package verify

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/tile"
)

// A Severity says what a Finding means for trust in the log.
type Severity string

const (
	// Broken is what an honest server can't produce: altered bytes, another
	// tree, a record that no key signed. The audit does not hold.
	Broken Severity = "broken"
	// Void is a record that the rules don't let count.
	Void Severity = "void"
	// Note is what a reader should know.
	Note Severity = "note"
)

// A Finding is something that an audit found.
type Finding struct {
	Severity Severity `json:"severity"`
	// Code is a code of package rules, or one that begins with audit.
	Code rules.Code `json:"code"`
	// Index is the entry it is about, -1 if it is about none.
	Index int64     `json:"index"`
	ID    record.ID `json:"id,omitempty"`
	// Detail says what was found: which key, which numbers, which hash.
	Detail string `json:"detail"`
	// Fork is there if the log signed two histories.
	Fork *ForkError `json:"-"`
	// Evidence is what others can be shown of a log that is not what it was.
	Evidence *Evidence `json:"evidence,omitempty"`
}

// The codes of findings that are not about the rules.
const (
	AuditFork     rules.Code = "audit.fork"     // the log signed two histories
	AuditSmaller  rules.Code = "audit.smaller"  // the log is smaller than it was
	AuditBehind   rules.Code = "audit.behind"   // the log shows less than it has signed, and has the rest
	AuditEntry    rules.Code = "audit.entry"    // an entry is not the one in the tree
	AuditFile     rules.Code = "audit.file"     // a tile is missing or not the one in the tree
	AuditLogKey   rules.Code = "audit.log_key"  // the charter does not name the log key
	AuditUnjudged rules.Code = "audit.unjudged" // records that could not be judged
)

// ErrCheckpoint is returned by Audit if the log's checkpoint does not parse or
// does not satisfy the policy: nothing in the log can be trusted then.
var ErrCheckpoint = errors.New("the checkpoint does not hold")

// AuditOptions change what an audit tells on its way.
type AuditOptions struct {
	// Found, if set, is called for each finding, in the order of the log.
	Found func(Finding)
	// Progress, if set, is called now and then with how many entries are
	// done, of how many.
	Progress func(entries, of int64)
	// Each, if set, is called for every record that was judged, in the order
	// of the log.
	Each func(index int64, r record.Checked, s rules.Standing)
	// Earlier are checkpoints of this log that the auditor holds: the tree
	// must be what they have grown to.
	Earlier []Signed
	// Resume, if set, is an earlier audit of this log: what it covered is
	// not read again.
	Resume *Saved
}

// A Summary counts what an audit saw.
type Summary struct {
	Signed    Signed // the checkpoint that all of it was checked against
	Entries   int64  // checked against the tree
	Effective int64
	Void      int64
	// Unjudged are entries that came after one that was altered: the rules
	// can't judge them.
	Unjudged int64
	Broken   int64 // findings of that severity
	ByType   map[record.Type]int64
	Resumed  int64 // how many entries an earlier audit had covered

	// Time is the greatest time that the log proves, in seconds since 1970;
	// Witnessed says that witnesses of the policy vouch for it, not signers.
	Time      int64
	Witnessed bool
	// Duties are what is owed at Time, Gaps the numbers of keys that are
	// missing. Both are empty if something could not be judged.
	Duties []Owed
	Gaps   []rules.Gap

	saved *Saved
	state *rules.Memory
}

// Owed is a duty with the id of the record that it arose from.
type Owed struct {
	rules.Duty
	ID record.ID `json:"id,omitempty"`
}

// Saved returns what the next audit can resume from, and the gate answer from;
// nil if something is broken. at is when the audit began by the caller's clock,
// in seconds since 1970.
func (s *Summary) Saved(at int64) *Saved {
	if s.saved == nil {
		return nil
	}
	saved := *s.saved
	saved.head.At = at
	return &saved
}

// State returns the state of the rules at the end, nil if nothing was judged. It
// must not be written to.
func (s *Summary) State() rules.Lister {
	if s.state == nil {
		return nil
	}
	return s.state
}

// Audit reads the whole log: every tile and bundle is hashed to the root that
// the checkpoint signs, every record is opened, its signatures included, and
// judged by the rules. It calls opt.Found for everything that is not as it
// should be.
//
// It uses all cores; its memory grows with the number of keys, cases (by at most
// 150 bytes each) and policies, not with the number of records. The error says why the audit could
// not be made at all: no checkpoint that satisfies p, a Source that fails, an
// end of ctx. What the log did wrong is no error: see Summary.Broken.
func Audit(ctx context.Context, src Source, p *Policy, opt AuditOptions) (*Summary, error) {
	return Policies{p}.Audit(ctx, src, opt)
}

// Audit is Audit under the newest of the policies that takes the checkpoint. What
// opt has from earlier audits may be signed with a log key of any of them.
func (ps Policies) Audit(ctx context.Context, src Source, opt AuditOptions) (*Summary, error) {
	note, err := src.ReadFile(ctx, "checkpoint")
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint: %w", err)
	}
	signed, p, err := ps.open(note)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	a := &audit{
		opt: opt, policies: ps, policy: p, tree: signed.Tree(src), state: rules.NewMemory(),
		keys: sharedRing{origin: signed.Checkpoint.Origin, keys: record.Keyring{}},
		sum:  &Summary{Signed: signed, ByType: map[record.Type]int64{}},
	}
	if err := a.compare(ctx); err != nil {
		return nil, err
	}
	a.fold = rules.New(a.state, treeRoots{ctx, a.tree}, OpenTimemark)
	whole, err := a.edge(ctx)
	if err != nil {
		return nil, err
	}
	if whole {
		if err := a.run(ctx); err != nil {
			return nil, err
		}
	}
	return a.sum, a.finish(ctx)
}

// An audit goes through a log in bundles: they are read and parsed on all
// cores, the keys that they bring are collected in order, their signatures are
// checked on all cores, and the rules judge them in order.
type audit struct {
	opt      AuditOptions
	policies Policies
	policy   *Policy // the one that took the checkpoint
	tree     *Tree
	state    *rules.Memory
	fold     *rules.Fold
	keys     sharedRing
	sum      *Summary
	from     int64 // the first entry that is read
	blind    bool  // an entry could not be read: the rules can't go on
}

// treeRoots is the rules.Roots of a tree.
type treeRoots struct {
	ctx  context.Context
	tree *Tree
}

func (r treeRoots) Root(size int64) (tlog.Hash, error) { return r.tree.Root(r.ctx, size) }

// A part is a bundle on its way.
type part struct {
	n        int64
	entries  [][]byte
	fault    error // a *FileError or *EntryError
	err      error // the Source failed
	parsed   []*record.Unverified
	opened   []record.Checked
	errs     []error // per entry
	isParsed chan struct{}
	isOpened chan struct{}
}

func (a *audit) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	size := a.tree.Checkpoint().Size
	bundles := (size + tile.FullWidth - 1) / tile.FullWidth

	toParse, toCollect := make(chan *part), make(chan *part, 2*workers)
	toOpen, toJudge := make(chan *part), make(chan *part, 2*workers)
	wg.Go(func() {
		defer close(toParse)
		defer close(toCollect)
		for n := a.from / tile.FullWidth; n < bundles; n++ {
			p := &part{n: n, isParsed: make(chan struct{}), isOpened: make(chan struct{})}
			if !send(ctx, toCollect, p) || !send(ctx, toParse, p) {
				return
			}
		}
	})
	wg.Go(func() {
		defer close(toOpen)
		defer close(toJudge)
		for p := range toCollect {
			if !wait(ctx, p.isParsed) {
				return
			}
			a.keys.collect(p.parsed)
			if !send(ctx, toJudge, p) || !send(ctx, toOpen, p) {
				return
			}
		}
	})
	for range workers {
		wg.Go(func() {
			for p := range toParse {
				p.parse(ctx, a.tree)
				close(p.isParsed)
			}
		})
		wg.Go(func() {
			for p := range toOpen {
				p.open(ctx, &a.keys, a.tree)
				close(p.isOpened)
			}
		})
	}
	for p := range toJudge {
		if !wait(ctx, p.isOpened) {
			break
		}
		if err := a.judge(p); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func send(ctx context.Context, to chan<- *part, p *part) bool {
	select {
	case to <- p:
		return true
	case <-ctx.Done():
		return false
	}
}

func wait(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// parse reads a bundle, checks its hashes and the spelling of its entries.
func (p *part) parse(ctx context.Context, tree *Tree) {
	var file *FileError
	var entry *EntryError
	entries, err := tree.Bundle(ctx, p.n)
	switch {
	case errors.As(err, &entry), errors.As(err, &file), errors.Is(err, fs.ErrNotExist):
		p.fault = err
		return
	case err != nil:
		p.err = err
		return
	}
	p.entries = entries
	p.parsed = make([]*record.Unverified, len(entries))
	p.errs = make([]error, len(entries))
	for i, b := range entries {
		p.parsed[i], p.errs[i] = record.Parse(b)
	}
}

// open checks the signatures, and looks up the roots that signers have seen, so
// that the rules find them in the tree's memory.
func (p *part) open(ctx context.Context, keys record.Keys, tree *Tree) {
	p.opened = make([]record.Checked, len(p.entries))
	for i, u := range p.parsed {
		if p.errs[i] != nil {
			continue
		}
		if p.opened[i], p.errs[i] = u.Verify(keys); p.errs[i] != nil {
			continue
		}
		for _, h := range u.Headers() {
			if h.Seen.Size <= p.n*tile.FullWidth+int64(i) {
				tree.Root(ctx, h.Seen.Size) // an error comes up again in the rules
			}
		}
	}
}

// judge applies the rules to a bundle.
func (a *audit) judge(p *part) error {
	if p.err != nil {
		return p.err
	}
	first := p.n * tile.FullWidth
	width := int64(tile.Width(tile.Entries, p.n, a.tree.Checkpoint().Size))
	if p.fault != nil {
		a.faulty(p.fault, first)
		a.sum.Unjudged += width - max(0, a.from-first)
		return nil
	}
	for i, b := range p.entries {
		if first+int64(i) < a.from {
			continue
		}
		if err := a.entry(first+int64(i), b, p.opened[i], p.errs[i]); err != nil {
			return err
		}
	}
	if a.opt.Progress != nil {
		a.opt.Progress(a.sum.Entries, a.tree.Checkpoint().Size)
	}
	return nil
}

func (a *audit) faulty(fault error, first int64) {
	f := Finding{Severity: Broken, Code: AuditFile, Index: -1, Detail: fault.Error()}
	var entry *EntryError
	if errors.As(fault, &entry) {
		f.Code, f.Index = AuditEntry, entry.Index
	}
	a.found(f)
	if !a.blind {
		a.found(Finding{Severity: Note, Code: AuditUnjudged, Index: first,
			Detail: fmt.Sprintf("from entry %d on only the tree is checked: the rules can't go on without what was altered", first)})
	}
	a.blind = true
}

func (a *audit) entry(index int64, b []byte, r record.Checked, openErr error) error {
	a.sum.Entries++
	// What was altered may have enrolled the key of this one.
	if a.blind && (openErr == nil || record.CodeOf(openErr) == record.KeyUnknown) {
		a.sum.Unjudged++
		return nil
	}
	s := rules.Standing{}
	if openErr != nil {
		s = rules.Void(index, b, openErr)
	} else {
		var err error
		if s, err = a.fold.Apply(index, r); err != nil {
			return fmt.Errorf("judge record %d: %w", index, err)
		}
		a.sum.ByType[r.Payload().Head().Type]++
		if a.opt.Each != nil {
			a.opt.Each(index, r, s)
		}
	}
	for _, code := range s.Findings {
		a.found(Finding{Severity: Note, Code: code, Index: index, ID: s.ID, Detail: s.Detail(code)})
	}
	if s.Effective() {
		a.sum.Effective++
		return nil
	}
	a.sum.Void++
	for _, code := range s.Codes {
		f := Finding{Severity: Void, Code: code, Index: index, ID: s.ID, Detail: s.Detail(code)}
		if slices.Contains(dishonest, code) {
			f.Severity = Broken
		}
		if openErr != nil {
			f.Detail = openErr.Error()
		}
		a.found(f)
	}
	return nil
}

// dishonest are the codes of records that no honest server logs, not even as
// void.
var dishonest = []rules.Code{record.Malformed, record.Unsupported, record.LedgerMismatch, record.KeyUnknown,
	record.SignatureInvalid, rules.CharterMissing, rules.SeenMismatch}

func (a *audit) found(f Finding) {
	if f.Severity == Broken {
		a.sum.Broken++
	}
	if a.opt.Found != nil {
		a.opt.Found(f)
	}
}

// sharedRing is the keys of the records that were parsed so far. Whether a key
// counts at an index is for the rules: keys never change under their thumbprint,
// so a signature may be checked before it is known whether its key counts.
type sharedRing struct {
	origin string
	mu     sync.RWMutex
	keys   record.Keyring
}

func (r *sharedRing) collect(records []*record.Unverified) {
	for _, u := range records {
		if u == nil {
			continue
		}
		own := record.NewKeyring(u.Payload())
		if len(own) == 0 {
			continue
		}
		r.mu.Lock()
		for kid, key := range own {
			r.keys[kid] = key
		}
		r.mu.Unlock()
	}
}

// Origin implements record.Keys.
func (r *sharedRing) Origin() string { return r.origin }

// Key implements record.Keys.
func (r *sharedRing) Key(kid string) crypto.PublicKey {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.keys.Key(kid)
}
