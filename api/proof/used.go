package proof

import (
	"crypto/sha256"
	"sync"
	"time"
)

// What is remembered at most in one age, by one key and by all.
const (
	maxPerKey = 1 << 15
	maxAll    = 1 << 19
)

// used remembers proofs as long as they could be accepted again. It has two
// ages: what was used in this one and in the one before. Only proofs of keys that
// may prove something get here, so strangers can't fill it, and one key can't
// fill it for the others.
type used struct {
	mu       sync.Mutex
	began    time.Time // of this age
	now      age
	previous age
}

// An age holds proofs by a part of the hash of key and id.
type age struct {
	proofs map[[16]byte]bool
	counts map[string]int // by key
}

// add remembers a proof. The error is ErrReplayed if it was used within life,
// ErrFull if it can't be remembered.
func (u *used) add(kid, id string, now time.Time, life time.Duration) error {
	sum := sha256.Sum256([]byte(kid + " " + id))
	key := [16]byte(sum[:16])
	u.mu.Lock()
	defer u.mu.Unlock()
	switch passed := now.Sub(u.began); {
	case u.now.proofs == nil || passed > 2*life:
		u.began, u.now, u.previous = now, newAge(), age{}
	case passed > life:
		u.began, u.now, u.previous = now, newAge(), u.now
	}
	switch {
	case u.now.proofs[key] || u.previous.proofs[key]:
		return ErrReplayed
	case u.now.counts[kid] >= maxPerKey || len(u.now.proofs) >= maxAll:
		return ErrFull
	}
	u.now.proofs[key] = true
	u.now.counts[kid]++
	return nil
}

func newAge() age { return age{proofs: map[[16]byte]bool{}, counts: map[string]int{}} }
