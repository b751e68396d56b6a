package rules_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// TestTimeOf compares the search in the clock's steps with a walk through all
// of them.
func TestTimeOf(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		state := rules.NewMemory()
		n := int64(1 + random.IntN(200))
		now, last := int64(start), int64(0)
		times := []int64{0} // of the tree of each size
		for index := range n {
			if random.IntN(4) > 0 { // else the record is void, or says nothing new
				now += random.Int64N(2 * 60)
				if random.IntN(10) == 0 {
					now -= random.Int64N(1000)
				}
				if err := rules.Tick(state, index, now); err != nil {
					t.Fatal(err)
				}
				if now >= last+60 {
					last = now
				}
				if clock, err := rules.Clock(state); err != nil || clock < now {
					t.Fatalf("clock %d, %v; want at least %d", clock, err, now)
				} else {
					now = clock // it never goes back
				}
			}
			times = append(times, last)
		}
		for size, want := range times {
			if got, err := rules.TimeOf(state, int64(size)); err != nil || got != want {
				t.Fatalf("seed %d: time of the tree of size %d of %d is %d, %v; want %d", seed, size, n, got, err, want)
			}
		}
		if got, err := rules.TimeOf(state, n+5); err != nil || got != last {
			t.Errorf("time beyond the end is %d, %v; want %d", got, err, last)
		}
	}
}

// TestClock: the ledger time is the newest iat of the effective records.
func TestClock(t *testing.T) {
	w := settled(t)
	is := func(want int64) {
		t.Helper()
		if got, err := rules.Clock(w.state); err != nil || got != want {
			t.Errorf("clock %d, %v; want %d", got, err, want)
		}
	}
	w.must(w.does(w.decision(record.Decline), "dan eve"))
	is(w.now)
	s := by("dan eve")
	s[0].iat = w.now + 7
	w.must(w.submit(w.sign(w.decision(record.Decline), s...).Bytes()))
	is(w.now + 7)
	w.must(w.does(w.decision(record.Decline), "dan eve")) // signed earlier
	is(w.now + 7)
	s = by("dan eve")
	s[0].iat = w.now + 1000
	if w.submit(w.sign(w.decision(record.Terminate), s...).Bytes()).Effective() {
		t.Error("a measure without a ground is effective")
	}
	is(w.now + 7) // a void record does not move it
	if got, err := rules.Clock(rules.NewMemory()); got != 0 || err != nil {
		t.Errorf("clock of nothing is %d, %v", got, err)
	}
}

// TestUsedNumbers compares the ranges of used numbers with a map.
func TestUsedNumbers(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 2))
		top := int64(1 + random.IntN(60))
		var used rules.Used
		want := map[int64]bool{}
		for range 80 {
			n := 1 + random.Int64N(top)
			if used.Has(n) != want[n] {
				t.Fatalf("seed %d: has %d: %v, want %v, in %v", seed, n, used.Has(n), want[n], used)
			}
			if want[n] {
				continue
			}
			var err error
			if used, err = used.With(n); err != nil {
				t.Fatal(err)
			}
			want[n] = true
			ranges, err := used.Ranges()
			if err != nil || !slices.IsSorted(ranges) || len(ranges)%2 != 0 {
				t.Fatalf("seed %d: ranges %v, %v", seed, ranges, err)
			}
			count := 0
			for i := 0; i < len(ranges); i += 2 {
				count += int(ranges[i+1] - ranges[i] + 1)
				if i > 0 && ranges[i] <= ranges[i-1]+1 {
					t.Fatalf("seed %d: ranges %v touch", seed, ranges)
				}
			}
			if count != len(want) {
				t.Fatalf("seed %d: %d numbers in %v, want %d", seed, count, ranges, len(want))
			}
		}
		for n := range top + 3 {
			if used.Has(n) != want[n] {
				t.Fatalf("seed %d: has %d: %v, want %v", seed, n, used.Has(n), want[n])
			}
		}
	}
	far, err := rules.Used(nil).With(record.MaxInt)
	if err != nil || !far.Has(record.MaxInt) || far.Has(1) {
		t.Errorf("the largest number: %v, %v", far, err)
	}
	for _, damaged := range []rules.Used{{1}, {0x80}, {1, 1, 1}, {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}} {
		if _, err := damaged.Ranges(); err == nil {
			t.Errorf("%x is read as ranges", damaged)
		}
	}
}

// TestDamagedState: a row that is damaged is an error or was not needed; it
// never makes another verdict, and nothing is written.
func TestDamagedState(t *testing.T) {
	base := settled(t)
	id := base.must(base.does(base.decision(record.Decline), "dan eve"))
	records := map[string]*record.Unverified{
		"decision": base.sign(base.next(id, record.Suspend, "use/1/host"), by("dan eve")...),
		"revoke":   base.sign(revocation("eve", record.Retired), by("ada bob")...),
		"enrol":    base.sign(enrolment("tim", "decider"), by("ada bob tim")...),
		"publish":  base.sign(usePolicy(2), by("pat")...),
		"repeal":   base.sign(repeal("use", start), by("pat")...),
	}
	refused := 0
	for key := range base.state.All() {
		for name, u := range records {
			c, err := u.Verify(base)
			if err != nil {
				t.Fatal(err)
			}
			for _, damage := range []string{"{", `"x"`, "\x80"} {
				w := base.copy(t)
				if err := w.state.Put(key, []byte(damage)); err != nil {
					t.Fatal(err)
				}
				before := dump(w.state)
				s, err := w.fold.Apply(w.size(), c)
				if err != nil {
					refused++
				}
				if err != nil && dump(w.state) != before || err == nil && !s.Effective() {
					t.Errorf("%s with row %q damaged to %q: %v, %v", name, key, damage, s.Codes, err)
				}
			}
		}
	}
	if refused < 50 {
		t.Errorf("only %d times an error", refused)
	}
}
