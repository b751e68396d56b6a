package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
)

// Limits are what one key and one address may ask for. They are there for
// accidents and floods: who stays below is never slowed.
//
// A key is charged only for what it has signed indeed, so nobody can use up the
// share of another. An address is charged for every request, and tenfold for a
// record that turns out to have no signature by a key of this ledger.
type Limits struct {
	// KeyRate is how many records and proofs of one key are taken a second,
	// KeyBurst how many at once after a pause. 0 means no limit.
	KeyRate  float64
	KeyBurst int
	// AddressRate is how many requests of one address (of one /64 in IPv6)
	// are answered a second, AddressBurst how many at once after a pause. 0
	// means no limit.
	AddressRate  float64
	AddressBurst int
	// Loopback limits loopback addresses, too, which are exempt else: a proxy
	// on the same machine brings the requests of everybody.
	Loopback bool
	// Strangers is how many submissions may be read and examined at once from
	// addresses that have sent nothing signed by a key of this ledger lately.
	// The others have as many places of their own. Default 512.
	Strangers int
}

// strangerCost is what a record without a signature that holds costs its
// address, in requests.
const strangerCost = 10

// How long an address is known after a signature of its held, and how many are.
const (
	knownTime = time.Hour
	maxKnown  = 1 << 12
)

// A limitError says that somebody asked for too much, and when to come again.
type limitError struct {
	who   string
	after time.Duration
}

func (e *limitError) Error() string {
	return "too many requests by this " + e.who + ": come again later"
}

// limits keeps count.
type limits struct {
	opt       Limits
	keys      buckets
	addresses buckets
	visits    places
	batches   places
	waiting   places // for the witnesses
	streams   places
	known     recent
	delayed   chan struct{} // who waits for a refusal
}

func newLimits(opt Limits) *limits {
	if opt.Strangers == 0 {
		opt.Strangers = 512
	}
	return &limits{opt: opt,
		keys:      buckets{rate: rate.Limit(opt.KeyRate), burst: max(1, opt.KeyBurst)},
		addresses: buckets{rate: rate.Limit(opt.AddressRate), burst: max(strangerCost, opt.AddressBurst)},
		visits:    newPlaces(opt.Strangers, opt.Strangers), batches: newPlaces(maxBatches, maxStrangerBatches),
		waiting: newPlaces(maxWaiting, maxWaiting), streams: newPlaces(maxStreams, maxStreams),
		delayed: make(chan struct{}, maxDelayed),
	}
}

// addressOf returns what stands for the address of a client, "" if it is exempt.
func (l *limits) addressOf(r *http.Request) string {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "unknown"
	}
	a := from.Addr().Unmap()
	if a.IsLoopback() && !l.opt.Loopback {
		return ""
	}
	if a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// address charges the address of a request.
func (l *limits) address(r *http.Request, n int) error {
	a := l.addressOf(r)
	if a == "" || l.opt.AddressRate == 0 {
		return nil
	}
	if wait := l.addresses.take(a, n); wait > 0 {
		return &limitError{"address", wait}
	}
	return nil
}

// tell says in headers what an address may ask for and what is left of it, as in
// draft-ietf-httpapi-ratelimit-headers-10: "address";q=300;w=6 is 300 requests in 6
// seconds, and "address";r=120;t=4 that 120 are left now and all of them in 4 seconds.
func (l *limits) tell(h http.Header, r *http.Request) {
	a := l.addressOf(r)
	if a == "" || l.opt.AddressRate == 0 {
		return
	}
	full := func(n float64) int { return int(math.Ceil(n / l.opt.AddressRate)) }
	burst := float64(l.addresses.burst)
	left := max(0, math.Floor(l.addresses.left(a)))
	h.Set("RateLimit-Policy", fmt.Sprintf(`"address";q=%.0f;w=%d`, burst, full(burst)))
	h.Set("RateLimit", fmt.Sprintf(`"address";r=%.0f;t=%d`, left, full(burst-left)))
}

// key charges a key.
func (l *limits) key(kid string) error {
	if l.opt.KeyRate == 0 {
		return nil
	}
	if wait := l.keys.take(kid, 1); wait > 0 {
		return &limitError{"key", wait}
	}
	return nil
}

// How late a refusal is given, and how many wait for one: further ones get it at
// once, and have to connect again.
const (
	refusalDelay = time.Second
	maxDelayed   = 1024
)

// limited charges the address of a request before its handler is called. A
// refusal is given late: who asks again as soon as there is an answer can't take
// the processor from others.
func (s *server) limited(h handler) handler {
	return func(w *response, r *http.Request) error {
		err := s.limits.address(r, 1)
		s.limits.tell(w.Header(), r)
		if err == nil {
			if err := s.reached(r); err != nil {
				return err
			}
			return h(w, r)
		}
		select {
		case s.limits.delayed <- struct{}{}:
			defer func() { <-s.limits.delayed }()
			select {
			case <-time.After(refusalDelay):
			case <-r.Context().Done():
			}
		default:
			w.Header().Set("Connection", "close")
		}
		return err
	}
}

// A visit is a submission that is being read and examined. It holds a place until
// its signatures hold, or until it ends.
type visit struct {
	server *server
	r      *http.Request
	leave  func()
}

// visit takes a place for a submission.
func (s *server) visit(r *http.Request) (*visit, error) {
	leave, ok := s.limits.visits.take(s.limits.isKnown(r))
	if !ok {
		return nil, ledger.ErrBusy
	}
	return &visit{server: s, r: r, leave: leave}, nil
}

// isKnown reports whether the address of a request sent something signed lately.
func (l *limits) isKnown(r *http.Request) bool { return l.known.has(l.addressOf(r)) }

// places are for requests that take their time: some for addresses that are
// known, some for all.
type places struct{ known, all chan struct{} }

func newPlaces(known, all int) places {
	return places{make(chan struct{}, known), make(chan struct{}, all)}
}

// take takes a place if there is one; leave, which may be called again, gives it
// back.
func (p places) take(known bool) (leave func(), ok bool) {
	free := []chan struct{}{p.all}
	if known {
		free = []chan struct{}{p.known, p.all}
	}
	for _, c := range free {
		select {
		case c <- struct{}{}:
			return sync.OnceFunc(func() { <-c }), true
		default:
		}
	}
	return nil, false
}

// checked is for ledger.Options: the signatures of the record hold. It charges
// its signers.
func (v *visit) checked(rec record.Checked) error {
	v.leave()
	v.server.limits.known.add(v.server.limits.addressOf(v.r))
	for _, h := range rec.Headers() {
		if err := v.server.limits.key(h.KID); err != nil {
			return err
		}
	}
	return nil
}

// charge charges the address for a record whose signatures don't hold, and returns
// err.
func (v *visit) charge(err error) error {
	if unsigned(err) {
		_ = v.server.limits.address(v.r, strangerCost-1) // it is refused in any case
	}
	return err
}

// unsigned reports whether a record was refused before its signatures held.
func unsigned(err error) bool {
	var refused *ledger.RefusedError
	return errors.As(err, &refused) && record.CodeOf(refused.Detail) != ""
}

// waitAddress charges the address of a request when that is possible.
func (l *limits) waitAddress(r *http.Request, n int) error {
	return wait(r.Context(), func() error { return l.address(r, n) })
}

// slowed is for ledger.Options: the signatures of a record of a batch hold. Where
// a single record would be refused, a batch waits.
func (s *server) slowed(r *http.Request, in *lines) func(record.Checked) error {
	return func(rec record.Checked) error {
		s.limits.known.add(s.limits.addressOf(r))
		in.proven()
		for _, h := range rec.Headers() {
			if err := wait(r.Context(), func() error { return s.limits.key(h.KID) }); err != nil {
				return err
			}
		}
		return nil
	}
}

// wait charges as soon as that is possible.
func wait(ctx context.Context, charge func() error) error {
	for {
		var limit *limitError
		err := charge()
		if !errors.As(err, &limit) {
			return err
		}
		select {
		case <-time.After(limit.after):
		case <-ctx.Done():
			return fmt.Errorf("wait for the turn of this %s: %w", limit.who, ctx.Err())
		}
	}
}

// buckets are token buckets by name, those that were used lately.
type buckets struct {
	rate  rate.Limit
	burst int

	mu       sync.Mutex
	began    time.Time
	now, old map[string]*rate.Limiter
}

// maxBuckets bounds one generation of buckets.
const maxBuckets = 1 << 16

// take takes n tokens, or returns how long to wait until they are there.
func (b *buckets) take(name string, n int) time.Duration {
	at := time.Now()
	one := b.of(name, at)
	res := one.ReserveN(at, min(n, b.burst))
	wait := res.DelayFrom(at)
	if wait > 0 {
		res.CancelAt(at)
	}
	return wait
}

// left is how many tokens there are.
func (b *buckets) left(name string) float64 {
	at := time.Now()
	return b.of(name, at).TokensAt(at)
}

func (b *buckets) of(name string, at time.Time) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	// What is forgotten was not used for so long that it is full again.
	life := max(time.Minute, time.Duration(float64(b.burst)/float64(b.rate)*float64(time.Second)))
	if b.now == nil || at.Sub(b.began) > life || len(b.now) >= maxBuckets {
		b.began, b.old, b.now = at, b.now, map[string]*rate.Limiter{}
	}
	one := b.now[name]
	if one == nil {
		if one = b.old[name]; one == nil {
			one = rate.NewLimiter(b.rate, b.burst)
		}
		b.now[name] = one
	}
	return one
}

// recent remembers names for knownTime at least.
type recent struct {
	mu       sync.Mutex
	began    time.Time
	now, old map[string]bool
}

func (k *recent) add(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at := time.Now(); k.now == nil || at.Sub(k.began) > knownTime || len(k.now) >= maxKnown {
		k.began, k.old, k.now = at, k.now, map[string]bool{}
	}
	k.now[name] = true
}

func (k *recent) has(name string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.began) > 2*knownTime {
		return false
	}
	return k.now[name] || k.old[name]
}
