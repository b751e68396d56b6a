package verify_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify"
)

func TestOpen(t *testing.T) {
	log, w, lines := parties(t)
	p := parsePolicy(t, append(lines[:len(lines)-1:len(lines)-1], "quorum none")...)
	text := testCheckpoint.Text()
	other := newSigner(t, "other.example.com", verify.Ed25519, "other")
	two := parsePolicy(t, "log "+log.VKey.String(), "log "+other.VKey.String(), "quorum none")
	renamed := newSigner(t, origin, verify.Ed25519, "another key")
	forged := newSigner(t, "x1.example.org", verify.Ed25519Cosignature, "X1")
	forged.ed = renamed.ed
	late := *w["X1"]
	late.time = 1<<63 + 5
	var sixteen []*signer
	for i := range 60 {
		sixteen = append(sixteen, newSigner(t, "unknown.example.com", verify.Ed25519, strings.Repeat("u", i+1)))
	}
	ext := text + "extension\n"

	for what, tt := range map[string]struct {
		policy *verify.Policy
		note   []byte
		want   error // nil: opens; errAny: malformed
	}{
		"log":                        {p, signNote(t, text, log), nil},
		"cosignature first":          {p, signNote(t, text, w["X1"], log), nil},
		"60 unknown keys":            {p, signNote(t, text, append(sixteen, log)...), nil},
		"unknown key, known name":    {p, signNote(t, text, renamed, log), nil},
		"signed by another log, too": {two, signNote(t, text, other, log), nil},
		"nobody known":               {p, signNote(t, text, other), verify.ErrUnknownLog},
		"witness only":               {p, signNote(t, text, w["X1"]), verify.ErrUnknownLog},
		"known name, unknown key":    {p, signNote(t, text, renamed), verify.ErrUnknownLog},
		"another log":                {two, signNote(t, text, other), verify.ErrOrigin},
		"forged cosignature":         {p, signNote(t, text, log, forged), verify.ErrSignature},
		"time of 2^63":               {p, signNote(t, text, log, &late), verify.ErrSignature},
		"text of another tree":       {p, bytes.Replace(signNote(t, text, log), []byte("\n1234\n"), []byte("\n1235\n"), 1), verify.ErrSignature},
		"log signs twice":            {p, signNote(t, text, log, log), errAny},
		"witness signs twice":        {p, signNote(t, text, log, w["X3"], w["X3"]), errAny},
		"65 signatures":              {p, signNote(t, text, append(sixteen, log, w["X1"], w["X2"], w["X3"], w["Y1"])...), errAny},
		"extension line":             {p, signNote(t, ext, log), errAny},
		"no signature":               {p, []byte(text + "\n"), errAny},
		"no blank line":              {p, []byte(text + log.line(t, text)), errAny},
		"two blank lines":            {p, []byte(text + "\n\n" + log.line(t, text)), errAny},
		"blank line at the end":      {p, append(signNote(t, text, log), '\n'), errAny},
		"no line end":                {p, bytes.TrimSuffix(signNote(t, text, log), []byte("\n")), errAny},
		"something after":            {p, append(signNote(t, text, log), "more\n"...), errAny},
		"CR":                         {p, bytes.ReplaceAll(signNote(t, text, log), []byte("\n"), []byte("\r\n")), errAny},
		"hyphen":                     {p, bytes.ReplaceAll(signNote(t, text, log), []byte("—"), []byte("-")), errAny},
		"not UTF-8":                  {p, append(signNote(t, text, log), "— \xff AAAAAAAA\n"...), errAny},
		"unknown, short":             {p, append(signNote(t, text, log), "— x AAAAAA==\n"...), errAny},
		"unknown, not base64":        {p, append(signNote(t, text, log), "— x ?\n"...), errAny},
		"unknown, two spaces":        {p, append(signNote(t, text, log), "— x  AAAAAAAA\n"...), errAny},
		"unknown, trailing bits":     {p, append(signNote(t, text, log), "— x AAAAAAB=\n"...), errAny},
		"too large":                  {p, append(signNote(t, text, log), "— x "+strings.Repeat("A", verify.MaxNote)+"\n"...), errAny},
		"empty":                      {p, nil, errAny},
	} {
		s, err := tt.policy.Open(tt.note)
		switch {
		case tt.want == nil && (err != nil || s.Checkpoint != testCheckpoint || s.LogKey.String() != log.VKey.String()):
			t.Errorf("%s: Open = %v, %v", what, s, err)
		case tt.want == errAny && (err == nil || isSentinel(err)):
			t.Errorf("%s: %v, want malformed", what, err)
		case tt.want != nil && tt.want != errAny && !errors.Is(err, tt.want):
			t.Errorf("%s: %v, want %v", what, err, tt.want)
		}
	}
}

var errAny = errors.New("any other error")

func isSentinel(err error) bool {
	for _, s := range []error{verify.ErrUnknownLog, verify.ErrSignature, verify.ErrOrigin, verify.ErrQuorum} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// TestLogWithMLDSA has a log that signs with both of its keys, and a policy that
// knows both or one.
func TestLogWithMLDSA(t *testing.T) {
	log, ml := newSigner(t, origin, verify.Ed25519, "log"), newSigner(t, origin, verify.MLDSA44Cosignature, "log")
	signed := signNote(t, testCheckpoint.Text(), log, ml)
	for _, keys := range [][]*signer{{log}, {ml}, {log, ml}, {ml, log}} {
		var lines []string
		for _, k := range keys {
			lines = append(lines, "log "+k.VKey.String())
		}
		s, err := parsePolicy(t, append(lines, "quorum none")...).Open(signed)
		if err != nil || s.Ignored != 2-len(keys) {
			t.Errorf("%d log keys: Open = %+v, %v", len(keys), s, err)
		}
	}
}

// TestEveryByteOfACheckpoint flips each bit of a checkpoint whose keys are all
// known.
func TestEveryByteOfACheckpoint(t *testing.T) {
	log, w, lines := parties(t)
	p := parsePolicy(t, lines...)
	good := signNote(t, testCheckpoint.Text(), log, w["X1"], w["X2"], w["Y1"])
	if _, err := p.Open(good); err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			if _, err := p.Open(bad); err == nil {
				t.Errorf("accepted with bit %d of byte %d (%q) changed", bit, i, good[i])
			}
		}
		if _, err := p.Open(append(bytes.Clone(good[:i]), good[i+1:]...)); err == nil {
			t.Errorf("accepted without byte %d (%q)", i, good[i])
		}
	}
	// A line without which the quorum is still reached may be missing, but
	// not be repeated.
	head, sigs, _ := strings.Cut(string(good), "\n\n")
	for line := range strings.Lines(sigs) {
		if _, err := p.Open([]byte(head + "\n\n" + sigs + line)); err == nil {
			t.Errorf("accepted with a line repeated: %s", line)
		}
		if _, err := p.Open([]byte(head + "\n\n" + strings.Replace(sigs, line, "", 1))); err == nil {
			t.Errorf("accepted without %s", line)
		}
	}
}

// TestMLDSABytes flips one bit in every byte of an ML-DSA-44 signature.
func TestMLDSABytes(t *testing.T) {
	log, w, _ := parties(t)
	p := parsePolicy(t, "log "+log.VKey.String(), "witness w "+w["X3"].VKey.String(), "quorum w")
	text := testCheckpoint.Text()
	line := w["X3"].line(t, text)
	at := len(line) - 1 - base64.StdEncoding.EncodedLen(4+8+2420)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line[at:]))
	if err != nil {
		t.Fatal(err)
	}
	logged := string(signNote(t, text, log))
	if _, err := p.Open([]byte(logged + line)); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(raw); i += 7 {
		bad := bytes.Clone(raw)
		bad[i] ^= 1 << (i % 8)
		if _, err := p.Open([]byte(logged + line[:at] + base64.StdEncoding.EncodeToString(bad) + "\n")); err == nil {
			t.Errorf("accepted with byte %d of the signature changed", i)
		}
	}
}

func FuzzOpen(f *testing.F) {
	log, w, lines := parties(f)
	p := parsePolicy(f, lines...)
	f.Add(signNote(f, testCheckpoint.Text(), log, w["X1"], w["X2"], w["Y1"]))
	f.Add([]byte(testCheckpoint.Text()))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := p.Open(b)
		if err == nil && s.Checkpoint != testCheckpoint {
			t.Errorf("opened %q, which nobody signed", b)
		}
	})
}
