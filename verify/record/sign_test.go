package record_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
)

func TestSignAndOpen(t *testing.T) {
	keys := []crypto.Signer{edKey("a"), ecKey(t, "b"), edKey("c"), ecKey(t, "d")}
	orders := [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}}
	for _, order := range orders {
		u := draft(t, plain(t))
		for _, i := range order {
			u = sign(t, u, keys[i])
		}
		c, err := record.Open(u.Bytes(), ringOf(t, keys...))
		if err != nil {
			t.Fatalf("signed in the order %v: %v", order, err)
		}
		if n := len(c.Headers()); n != 4 {
			t.Errorf("%d signatures, want 4", n)
		}
		if !slices.IsSortedFunc(c.Headers(), func(a, b record.Header) int { return bytes.Compare([]byte(a.KID), []byte(b.KID)) }) {
			t.Errorf("headers %v are not sorted by kid", c.Headers())
		}
		want := record.Header{Alg: "EdDSA", IAT: now, KID: jwkOf(t, keys[0]).KID(), Seen: record.SeenNothing, Seq: 1, Typ: record.Typ}
		if !slices.Contains(c.Headers(), want) {
			t.Errorf("headers %v, want %v among them", c.Headers(), want)
		}
		if c.ID() != record.IDOf(u.Bytes()) || c.ID() != record.HashID(c.Leaf()) {
			t.Errorf("id %s, want that of the bytes, %s", c.ID(), record.IDOf(u.Bytes()))
		}
	}
}

// TestSignLeavesDraft: Sign and Merge make new records, drafts stay as they are.
func TestSignLeavesDraft(t *testing.T) {
	u := draft(t, plain(t))
	before := bytes.Clone(u.Bytes())
	one := sign(t, u, edKey("a"))
	two := sign(t, one, edKey("b"))
	if !bytes.Equal(u.Bytes(), before) || len(u.Headers()) != 0 || len(one.Headers()) != 1 || len(two.Headers()) != 2 {
		t.Errorf("%d, %d, %d signatures, want 0, 1, 2", len(u.Headers()), len(one.Headers()), len(two.Headers()))
	}
	if !record.SamePayload(u, two) || u.ID() == two.ID() {
		t.Error("a signature must change the id and leave the payload")
	}
	again, err := two.Sign(edKey("a"), now+1, 7, record.SeenNothing)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range again.Headers() {
		if h.KID == jwkOf(t, edKey("a")).KID() && (h.Seq != 7 || h.IAT != now+1) || len(again.Headers()) != 2 {
			t.Errorf("signed again: %+v, want the new signature instead of the old one", again.Headers())
		}
	}
}

func TestMerge(t *testing.T) {
	u := draft(t, plain(t))
	a, b := edKey("a"), ecKey(t, "b")
	left, right := sign(t, u, a, edKey("c")), sign(t, u, b, edKey("c"))
	both, err := left.Merge(right)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := record.Open(both.Bytes(), ringOf(t, a, b, edKey("c"))); err != nil || len(both.Headers()) != 3 {
		t.Errorf("%d signatures, %v; want 3 that hold", len(both.Headers()), err)
	}
	if empty, err := u.Merge(u); err != nil || !bytes.Equal(empty.Bytes(), u.Bytes()) {
		t.Errorf("a draft merged with itself: %v, want the same", err)
	}
	other := plain(t)
	other.Facts = "others"
	if _, err := u.Merge(draft(t, other)); err == nil || err.Error() != "the two drafts state different things and can't be merged" {
		t.Errorf("merged drafts that state different things: %v", err)
	}
}

func TestSignLimits(t *testing.T) {
	u := draft(t, plain(t))
	for i := range record.MaxSignatures {
		u = sign(t, u, edKey(fmt.Sprint(i)))
	}
	_, err := u.Sign(edKey("one more"), now, 1, record.SeenNothing)
	fault{record.Malformed, "record", "signatures", "17 signatures", "1 to 16"}.check(t, err)

	for name, at := range map[string]struct {
		iat, seq int64
		seen     record.Seen
		want     fault
	}{
		"iat 0":         {0, 1, record.SeenNothing, fault{record.Malformed, "signature 1", "iat", "0", "an integer from 1 to 253402300799"}},
		"seq 0":         {now, 0, record.SeenNothing, fault{record.Malformed, "signature 1", "seq", "0", "an integer from 1 to 9007199254740991"}},
		"seq too large": {now, 1 << 53, record.SeenNothing, fault{record.Malformed, "signature 1", "seq", "9007199254740992", "an integer from 1 to"}},
		"no root":       {now, 1, record.Seen{Size: 1}, fault{record.Malformed, "signature 1", "seen/root", "nothing", "43 characters"}},
		"size below 0":  {now, 1, record.Seen{Size: -1, Root: someRef}, fault{record.Malformed, "signature 1", "seen/size", "-1", "an integer from 0"}},
	} {
		_, err := draft(t, plain(t)).Sign(edKey("a"), at.iat, at.seq, at.seen)
		t.Run(name, func(t *testing.T) { at.want.check(t, err) })
	}
}

// TestSignOtherKeys: only Ed25519 and P-256.
func TestSignOtherKeys(t *testing.T) {
	weak, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[crypto.Signer]string{
		weak: "an ECDSA key that is not on P-256",
		long: "a key of type *rsa.PublicKey, want Ed25519 or P-256",
	} {
		if _, err := draft(t, plain(t)).Sign(key, now, 1, record.SeenNothing); err == nil || err.Error() != want {
			t.Errorf("signed with %T: %v, want %s", key, err, want)
		}
	}
}

// TestLowS: ES256 signatures come out with a low s, however the key signs.
func TestLowS(t *testing.T) {
	key := ecKey(t, "b")
	for i := range 20 { // half of them would have a high one
		p := plain(t)
		p.Facts = fmt.Sprint(i)
		u := sign(t, draft(t, p), key)
		if _, err := record.Open(u.Bytes(), ringOf(t, key)); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	key := edKey("a")
	u := sign(b, draft(b, plain(b)), key)
	ring := ringOf(b, key)
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := record.Parse(u.Bytes()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := record.Open(u.Bytes(), ring); err != nil {
				b.Fatal(err)
			}
		}
	})
}
