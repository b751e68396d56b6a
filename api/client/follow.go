package client

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// ErrUnproven says that what a ledger answered does not hold, or not under the
// trust policy. Nothing of it was believed.
var ErrUnproven = errors.New("what the ledger answered does not hold")

// ErrUnpinned says that there is no key yet to check a ledger with: give a trust
// policy, or put into Remembered.VKey whom to trust from the first time on.
var ErrUnpinned = errors.New("no trust policy is given, and no key of this ledger is remembered")

// A Follower is a client that believes nothing: what its methods return was
// verified under a trust policy, and fits all that the ledger showed it before.
// It remembers the newest head. Its methods may be used concurrently.
//
// Each method may fail with an error that wraps ErrSplit, or ErrUnproven where
// what the ledger said does not hold. Others are those of Client.
type Follower struct {
	c      *Client
	policy *verify.Policy
	logs   *verify.Policy // its logs, without witnesses

	mu     sync.Mutex // for memory and own
	memory *Memory
	own    *Remembered
}

// Follow returns a Follower of the ledger with this origin. policy says whose
// checkpoints count; with nil it is the key that memory has pinned. The caller
// may go on to use memory, as long as no method of the Follower runs.
func (c *Client) Follow(origin string, policy *verify.Policy, memory *Memory) (*Follower, error) {
	f := &Follower{c: c, policy: policy, memory: memory, own: memory.Ledger(origin)}
	var err error
	if policy != nil {
		f.logs, err = logsOf(policy)
		return f, err
	}
	if f.own.VKey == "" {
		return nil, fmt.Errorf("%s: %w", origin, ErrUnpinned)
	}
	if f.policy, err = Pin(f.own.VKey); err != nil {
		return nil, fmt.Errorf("what is remembered of %s: %w", origin, err)
	}
	f.logs = f.policy
	return f, nil
}

// logsOf returns the policy that takes what a log of p has signed, whoever has
// cosigned it.
func logsOf(p *verify.Policy) (*verify.Policy, error) {
	var b strings.Builder
	for _, l := range p.Logs() {
		b.WriteString("log " + l.Key.String() + "\n")
	}
	return verify.ParsePolicy([]byte(b.String() + "quorum none\n"))
}

// Head returns the checkpoint that the ledger serves, which is of one history with
// all that it showed before, and remembers it. It is never smaller than an earlier
// one that was served; where witnesses cosign, it may be smaller than that of a
// receipt, as long as the ledger shows that this one extends it.
func (f *Follower) Head(ctx context.Context) (verify.Signed, error) {
	note, err := f.c.ReadFile(ctx, "checkpoint")
	if err != nil {
		return verify.Signed{}, fmt.Errorf("read the checkpoint: %w", err)
	}
	now, err := f.policy.Open(note)
	if err != nil {
		return verify.Signed{}, fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	return now, f.remember(ctx, now, true)
}

func (f *Follower) remember(ctx context.Context, now verify.Signed, head bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.own.take(ctx, f.c, now, head); err != nil {
		return err
	}
	return f.memory.Save()
}

// Logged is a record that the log is proven to hold.
type Logged struct {
	// Known says that the log held it before it was submitted, or another
	// record, effective, that states the same: Proven is about that one.
	Known bool
	// Receipt is the full receipt, a c2sp.org/tlog-proof to keep.
	Receipt []byte
	// Witnessed says that the receipt satisfies the trust policy with its
	// witnesses. If it is false the policy has none, or too few have cosigned
	// yet: the log's key has signed the receipt, and Follower.Witnessed gets
	// the other one later.
	Witnessed bool
	// Proven is what the receipt proves under the trust policy. Its Full is
	// unset if not all that supports the record fits into a receipt.
	Proven *verify.Proven
}

// Submit submits a record and returns its receipt, verified.
//
// The same bytes may be submitted any number of times: a ledger holds them once,
// and answers with the receipt of the first time. So after any error but a
// *problem.Problem of status 4xx the way on is the same Submit again, also by
// another process: keep b until there is a receipt. Submit itself does so a few
// times, as Client.Submit.
func (f *Follower) Submit(ctx context.Context, b []byte) (*Logged, error) {
	return f.submit(ctx, b, func() (Submitted, error) { return f.c.submit(ctx, b) })
}

// SubmitVoid is Submit of a record that is to be logged as void if the rules
// refuse it: Proven.Standing says what it became. key is one that has signed it.
func (f *Follower) SubmitVoid(ctx context.Context, key crypto.Signer, b []byte) (*Logged, error) {
	return f.submit(ctx, b, func() (Submitted, error) { return f.c.SubmitVoid(ctx, key, b) })
}

func (f *Follower) submit(ctx context.Context, b []byte, send func() (Submitted, error)) (*Logged, error) {
	u, err := record.Parse(b)
	if err != nil {
		return nil, err
	}
	answer, err := again(ctx, send)
	if err != nil {
		return nil, err
	}
	if err := f.checkBare(ctx, answer, u); err != nil {
		return nil, err
	}
	l, err := f.Receipt(ctx, answer.ID)
	if err != nil {
		return nil, fmt.Errorf("it is recorded as entry %d; its full receipt: %w", answer.Index, err)
	}
	if !record.SamePayload(u, l.Proven.Record) {
		return nil, fmt.Errorf("%w: it is for %s, which states something else", ErrUnproven, l.Proven.ID)
	}
	l.Known = answer.Known
	return l, nil
}

// checkBare checks the answer to a submission. If the ledger held the same
// statement with other signatures, the answer is for that record, which only the
// full receipt holds.
func (f *Follower) checkBare(ctx context.Context, a Submitted, u *record.Unverified) error {
	receipt, err := verify.ParseReceipt([]byte(a.Receipt))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	if a.ID != u.ID() {
		if a.Known {
			return nil
		}
		return fmt.Errorf("%w: it is for another record, %s", ErrUnproven, a.ID)
	}
	proven, err := receipt.Check(f.logs, u.Bytes()) // the answer does not wait for witnesses
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	return f.remember(ctx, proven.Signed, false)
}

// Receipt returns the full receipt of a record, verified: under the trust policy,
// or, as long as too few of its witnesses have cosigned, under that of its logs.
// The error wraps fs.ErrNotExist if the ledger says that it has no such record.
func (f *Follower) Receipt(ctx context.Context, id record.ID) (*Logged, error) {
	text, err := f.c.Receipt(ctx, id)
	if err != nil {
		return nil, err
	}
	l, err := f.logged(ctx, id, text, f.policy)
	if errors.Is(err, verify.ErrQuorum) {
		return f.logged(ctx, id, text, f.logs)
	}
	return l, err
}

// Witnessed returns the full receipt of a record under the whole trust policy. It
// waits for the witnesses, for a time at most; then the error is a
// *problem.Problem with the code problem.WitnessPending. The record is logged
// all the same.
func (f *Follower) Witnessed(ctx context.Context, id record.ID, wait time.Duration) (*Logged, error) {
	text, err := f.c.WitnessedReceipt(ctx, id, wait)
	if err != nil {
		return nil, err
	}
	return f.logged(ctx, id, text, f.policy)
}

// logged checks a receipt under a policy.
func (f *Follower) logged(ctx context.Context, id record.ID, text []byte, policy *verify.Policy) (*Logged, error) {
	proven, err := provenBy(text, policy)
	if err != nil {
		return nil, fmt.Errorf("receipt of %s: %w: %w", id, ErrUnproven, err)
	}
	if proven.ID != id {
		return nil, fmt.Errorf("receipt of %s: %w: it is that of %s", id, ErrUnproven, proven.ID)
	}
	witnessed := policy == f.policy && policy.Quorum() != "none"
	return &Logged{Receipt: text, Witnessed: witnessed, Proven: proven}, f.remember(ctx, proven.Signed, false)
}

func provenBy(text []byte, policy *verify.Policy) (*verify.Proven, error) {
	receipt, err := verify.ParseReceipt(text)
	if err != nil {
		return nil, err
	}
	proven, err := receipt.Check(policy, nil)
	if !errors.Is(err, verify.ErrNotShown) {
		return proven, err
	}
	extra, err := verify.ParseExtra(receipt.Extra) // not all that supports it fits; docket-verify takes the rest beside it
	if err != nil {
		return nil, err
	}
	receipt.Extra = nil
	return receipt.Check(policy, extra.Record)
}

// Signers checks who has signed a draft or record: that each signature holds,
// and that what its signer saw of the log is part of the log that this Follower
// sees. Of the keys it returns what the ledger says, by their kid; keys that it
// never enrolled are left out, and their signatures are not checked.
func (f *Follower) Signers(ctx context.Context, u *record.Unverified) (map[string]Key, error) {
	keys, ring := map[string]Key{}, record.NewKeyring(u.Payload())
	for _, h := range u.Headers() {
		k, err := f.c.Key(ctx, h.KID)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if k.JWK.KID() != h.KID {
			return nil, fmt.Errorf("key %s: %w: it is %s", h.KID, ErrUnproven, k.JWK.KID())
		}
		keys[h.KID] = k
		ring.Add(k.JWK)
	}
	checked, err := u.Verify(ring)
	if code := record.CodeOf(err); len(u.Headers()) == 0 || code == record.KeyUnknown {
		return keys, nil
	}
	if err != nil {
		return nil, err
	}
	if err := f.reach(ctx, checked); err != nil { // they may have seen a newer one than it has
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return keys, f.own.seenFits(ctx, f.c, checked)
}

// reach asks for the newest head, and if the signers of u have seen a newer one,
// for the one that the ledger has signed and that too few have cosigned yet.
func (f *Follower) reach(ctx context.Context, u record.Checked) error {
	if _, err := f.Head(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	own, err := f.own.signed(f.own.Checkpoint)
	f.mu.Unlock()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(u.Headers(), func(h record.Header) bool { return h.Seen.Size > own.Checkpoint.Size }) {
		return nil
	}
	info, err := f.c.Info(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not a ledger, only its files
	}
	if err != nil {
		return err
	}
	now, err := f.logs.Open([]byte(info.Checkpoint))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	return f.remember(ctx, now, false)
}
