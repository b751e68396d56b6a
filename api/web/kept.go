package web

import (
	"sync"
	"time"
)

// quick is how long an answer may take that is made for each request.
const quick = 50 * time.Millisecond

// A kept is an answer that takes longer the more the log holds. One that is quick is made
// for each request. Another one is given again, and made anew after the page has been
// sent: a reader sees it as of a moment ago, which it says, and nobody waits.
type kept[T any] struct {
	making sync.Mutex // held to make one

	mu   sync.Mutex
	is   T
	have bool
	took time.Duration
}

// get returns an answer, and what to call once the page has been sent; nil if nothing.
// make may be called concurrently with other requests, but not with itself.
func (k *kept[T]) get(make func() (T, error)) (is T, after func() error, err error) {
	if is, slow := k.slow(); slow {
		return is, func() error {
			if !k.making.TryLock() {
				return nil // somebody does it
			}
			defer k.making.Unlock()
			_, err := k.make(make)
			return err
		}, nil
	}
	k.making.Lock()
	defer k.making.Unlock()
	if is, slow := k.slow(); slow { // who was before made it
		return is, nil, nil
	}
	is, err = k.make(make)
	return is, nil, err
}

// slow returns what is kept, if it took long.
func (k *kept[T]) slow() (T, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.is, k.have && k.took > quick
}

func (k *kept[T]) make(make func() (T, error)) (T, error) {
	start := time.Now()
	is, err := make()
	if err != nil {
		return is, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.is, k.have, k.took = is, true, time.Since(start)
	return is, nil
}
