package verify_test

import (
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
)

func TestEmptyRoot(t *testing.T) {
	if got, want := verify.EmptyRoot.String(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; got != want {
		t.Errorf("EmptyRoot = %s, want %s", got, want)
	}
}

func TestCheckpoint(t *testing.T) {
	root := tlog.RecordHash(nil)
	for _, c := range []verify.Checkpoint{
		{Origin: origin, Size: 0, Root: verify.EmptyRoot},
		{Origin: "x", Size: 1, Root: root},
		{Origin: "ledger.example.com/größe", Size: verify.MaxSize, Root: root},
	} {
		if got, err := verify.ParseCheckpoint(c.Text()); err != nil || got != c {
			t.Errorf("ParseCheckpoint(%q) = %+v, %v, want %+v", c.Text(), got, err, c)
		}
	}
	h := root.String()
	for name, text := range map[string]string{
		"nothing":                  "",
		"two lines":                origin + "\n1\n",
		"no last line end":         origin + "\n1\n" + h,
		"extension line":           origin + "\n1\n" + h + "\nmore\n",
		"blank line":               origin + "\n1\n" + h + "\n\n",
		"CR":                       origin + "\r\n1\r\n" + h + "\r\n",
		"no origin":                "\n1\n" + h + "\n",
		"origin with space":        "a b\n1\n" + h + "\n",
		"origin with no-break":     "a\u00a0b\n1\n" + h + "\n",
		"origin with plus":         "a+b\n1\n" + h + "\n",
		"origin not UTF-8":         "a\xff\n1\n" + h + "\n",
		"origin too long":          strings.Repeat("a", 256) + "\n1\n" + h + "\n",
		"size with zero":           origin + "\n01\n" + h + "\n",
		"size 00":                  origin + "\n00\n" + h + "\n",
		"size with plus":           origin + "\n+1\n" + h + "\n",
		"negative size":            origin + "\n-1\n" + h + "\n",
		"size -0":                  origin + "\n-0\n" + h + "\n",
		"size with space":          origin + "\n1 \n" + h + "\n",
		"size in hex":              origin + "\n0x1\n" + h + "\n",
		"size with underscore":     origin + "\n1_0\n" + h + "\n",
		"size in Arabic digits":    origin + "\n١\n" + h + "\n",
		"no size":                  origin + "\n\n" + h + "\n",
		"size 0, another root":     origin + "\n0\n" + h + "\n",
		"size 2^53":                origin + "\n9007199254740992\n" + h + "\n",
		"size 2^64":                origin + "\n18446744073709551616\n" + h + "\n",
		"root too short":           origin + "\n1\n" + "AAAA" + "\n",
		"root without padding":     origin + "\n1\n" + strings.TrimSuffix(h, "=") + "\n",
		"root with trailing bits":  origin + "\n1\n" + h[:42] + "h=\n",
		"root in base64url":        origin + "\n1\n" + "__________________________________________8=\n",
		"root with a space before": origin + "\n1\n " + h + "\n",
	} {
		if got, err := verify.ParseCheckpoint(text); err == nil {
			t.Errorf("%s: ParseCheckpoint(%q) = %+v, want an error", name, text, got)
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	f.Add(testCheckpoint.Text())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := verify.ParseCheckpoint(text)
		if err == nil && c.Text() != text {
			t.Errorf("%q has a second spelling %q", text, c.Text())
		}
	})
}

// TestSign checks that what Sign writes another implementation reads.
func TestSign(t *testing.T) {
	log := newSigner(t, origin, verify.Ed25519, "log")
	signed, err := testCheckpoint.Sign(log)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(log.VKey.String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil || n.Text != testCheckpoint.Text() {
		t.Errorf("note.Open = %+v, %v", n, err)
	}
	s, err := parsePolicy(t, "log "+log.VKey.String(), "quorum none").Open(signed)
	if err != nil || s.Checkpoint != testCheckpoint || string(s.Note) != string(signed) || s.LogKey.String() != log.VKey.String() {
		t.Errorf("Open = %+v, %v", s, err)
	}
	if _, err := testCheckpoint.Sign(newSigner(t, "other.example.com", verify.Ed25519, "log")); err == nil {
		t.Error("a signer of another name signed")
	}
	bad := testCheckpoint
	bad.Size = -1
	if _, err := bad.Sign(log); err == nil {
		t.Error("a checkpoint of negative size was signed")
	}
}
