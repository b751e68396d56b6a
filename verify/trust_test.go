package verify_test

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify"
)

// TestWeaknesses: what is warned of, by the codes.
func TestWeaknesses(t *testing.T) {
	log := "log " + newSigner(t, origin, verify.Ed25519, "log").String()
	w := func(name, keyName string, url ...string) string {
		return strings.Join(append([]string{"witness " + name + " " + newSigner(t, keyName, verify.Ed25519Cosignature, name).String()}, url...), " ")
	}
	both := newSigner(t, origin, verify.MLDSA44Cosignature, "both").String()
	for _, test := range []struct {
		lines string
		want  string
	}{
		{log + "\n" + w("a", "one.example") + "\n" + w("b", "two.example") + "\n" + w("c", "three.example") + "\ngroup g 2 a b c\nquorum g", ""},
		{log + "\n" + w("a", "w1") + "\n" + w("b", "w2") + "\n" + w("c", "w3") + "\ngroup g 2 a b c\nquorum g", ""},
		{log + "\n" + w("a", "a.co.uk") + "\n" + w("b", "b.co.uk") + "\ngroup g all a b\nquorum g", ""},
		{"quorum none", "log.none witness.none"},
		{log + "\nlog " + newSigner(t, "other.example/1", verify.Ed25519, "o").String() + "\nquorum none", "witness.none log.several"},
		{log + "\n" + w("a", "one.example") + "\nquorum none", "quorum.none"},
		{log + "\n" + w("a", "one.example") + "\nquorum a", "quorum.one"},
		{log + "\n" + w("a", "one.example") + "\n" + w("b", "two.example") + "\ngroup g any a b\nquorum g", "quorum.one quorum.minority"},
		{log + "\n" + w("a", "one.example") + "\n" + w("b", "two.example") + "\n" + w("c", "three.example") + "\n" + w("d", "four.example") + "\ngroup g 2 a b c d\nquorum g", "quorum.minority"},
		{log + "\n" + w("a", "one.example") + "\n" + w("b", "two.example") + "\nquorum a", "quorum.one witness.unused"},
		{log + "\n" + w("a", "a.one.example") + "\n" + w("b", "b.one.example/x") + "\ngroup g all a b\nquorum g", "witness.one_party"},
		{log + "\n" + w("a", "alice1") + "\n" + w("b", "alice-2") + "\ngroup g all a b\nquorum g", "witness.one_party"},
		{log + "\n" + w("a", "a", "http://127.0.0.1:1/") + "\n" + w("b", "b", "http://127.0.0.1:2/") + "\ngroup g all a b\nquorum g", "witness.one_party"},
		{log + "\n" + w("a", "a", "http://[::1]:1/") + "\n" + w("b", "b", "http://[::1]:2/") + "\ngroup g all a b\nquorum g", "witness.one_party"},
		{log + "\n" + w("a", "a.one.example") + "\n" + w("b", "b.one.example") + "\n" + w("c", "two.example") + "\ngroup g 2 a b c\nquorum g", "quorum.one_party"},
		{log + "\n" + w("a", "witness.example.com") + "\n" + w("b", "b", "https://b.example.com/") + "\n" + w("c", "two.example") + "\ngroup g 2 a b c\nquorum g", "quorum.operator quorum.one_party"},
		{log + " https://one.example/log\n" + w("a", "one.example") + "\nquorum a", "quorum.one quorum.operator"},
		{"log " + both + "\nwitness self " + both + "\nquorum self", "quorum.one quorum.operator key.log_name"},
		{log + "\n" + w("a", "same.example") + "\n" + w("b", "same.example") + "\n" + w("c", "two.example") + "\ngroup g all a b c\nquorum g", "key.same_name"},
	} {
		var codes []string
		for _, weak := range parsePolicy(t, test.lines).Weaknesses() {
			codes = append(codes, weak.Code)
			if !strings.HasSuffix(weak.Text, ".") {
				t.Errorf("%q is no sentence", weak.Text)
			}
		}
		if got := strings.Join(codes, " "); got != test.want {
			t.Errorf("%s\nis weak: %s, want %s", test.lines, got, test.want)
		}
	}
}

// TestQuorumNumbers compares what Quorum says of random policies with trying all
// sets of witnesses.
func TestQuorumNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 7))
	for range 200 {
		n := 1 + r.IntN(7)
		var lines, free []string
		for i := range n {
			lines = append(lines, fmt.Sprintf("witness w%d %s", i, newSigner(t, fmt.Sprint("w", i), verify.Ed25519Cosignature, fmt.Sprint("w", i))))
			free = append(free, fmt.Sprint("w", i))
		}
		for g := 0; len(free) > 1; g++ {
			r.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
			take := 2 + r.IntN(len(free)-1)
			lines = append(lines, fmt.Sprintf("group g%d %d %s", g, 1+r.IntN(take), strings.Join(free[:take], " ")))
			free = append(free[take:], fmt.Sprint("g", g))
		}
		p := parsePolicy(t, append(lines, "quorum "+free[0])...)
		reached := make([]bool, 1<<n)
		least, blocking, lie := n, n, n
		for set := range reached {
			var names []string
			for i := range n {
				if set&(1<<i) != 0 {
					names = append(names, fmt.Sprint("w", i))
				}
			}
			if reached[set] = p.Reached(names); reached[set] {
				least = min(least, bits.OnesCount(uint(set)))
			} else {
				blocking = min(blocking, n-bits.OnesCount(uint(set)))
			}
		}
		for a := range reached {
			for b := range reached {
				if reached[a] && reached[b] {
					lie = min(lie, bits.OnesCount(uint(a&b)))
				}
			}
		}
		q := p.Tree()
		if q.Least() != least || q.MayFail() != blocking-1 || q.MustLie() != lie {
			t.Errorf("%s\nleast %d, may fail %d, must lie %d; by trying %d, %d, %d", strings.Join(lines, "\n"),
				q.Least(), q.MayFail(), q.MustLie(), least, blocking-1, lie)
		}
	}
}
