package record_test

import (
	"crypto/sha256"
	"encoding/base64"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
)

func TestTime(t *testing.T) {
	for _, row := range []struct {
		text string
		unix int64
	}{
		{"1970-01-01T00:00:01Z", 1}, {"2026-11-23T08:00:00Z", 1795420800}, {"2024-02-29T12:34:56Z", 1709210096}, {"9999-12-31T23:59:59Z", 253402300799},
	} {
		got, err := record.ParseTime(row.text)
		if err != nil || got.Unix() != row.unix || got.String() != row.text {
			t.Errorf("ParseTime(%s) = %d (%s), %v; want %d", row.text, got, got, err, row.unix)
		}
	}
	const seconds = 253402300799
	for range 2000 {
		want := record.Time(1 + rand.Int64N(seconds))
		if std := time.Unix(int64(want), 0).UTC().Format(time.RFC3339); want.String() != std {
			t.Errorf("%d is %s, want %s", want, want, std)
		}
		if got, err := record.ParseTime(want.String()); err != nil || got != want {
			t.Errorf("%d comes back as %d, %v", want, got, err)
		}
	}
	if s := record.Time(0).String(); s != "" {
		t.Errorf("the zero Time is %q, want nothing", s)
	}
	for _, text := range []string{
		"", "0", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2026-11-23", "2026-11-23T08:00:00",
		"2026-11-23T08:00:00z", "2026-11-23t08:00:00Z", "2026-11-23 08:00:00Z", "2026-11-23T08:00:00+00:00", "2026-11-23T08:00:00.0Z",
		"2026-11-23T08:00:00,5Z", "2026-11-23T24:00:00Z", "2026-11-23T08:00:60Z", "2026-02-29T08:00:00Z", "2026-1-23T08:00:00Z",
		" 2026-11-23T08:00:00Z", "2026-11-23T08:00:00Z\n", "+2026-11-23T08:00:00Z",
	} {
		got, err := record.ParseTime(text)
		if err == nil || !strings.HasSuffix(err.Error(), "is not a time like 2026-11-23T08:00:00Z (RFC 3339, UTC, whole seconds)") {
			t.Errorf("ParseTime(%q) = %d, %v; want an error that shows the form", text, got, err)
		}
	}
}

func TestID(t *testing.T) {
	text := []byte("any bytes")
	leaf := sha256.Sum256(append([]byte{0}, text...)) // RFC 6962, Section 2.1
	want := record.ID("d-" + base64.RawURLEncoding.EncodeToString(leaf[:]))
	if got := record.IDOf(text); got != want || len(got) != 45 {
		t.Errorf("IDOf = %s, want %s", got, want)
	}
	if got := record.HashID(leaf); got != want {
		t.Errorf("HashID = %s, want %s", got, want)
	}
	if got, err := want.Hash(); err != nil || got != tlog.Hash(leaf) {
		t.Errorf("Hash = %v, %v; want %x", got, err, leaf)
	}
	good := string(want)
	for _, bad := range []string{
		"", "d-", good[2:], "D-" + good[2:], good + "A", good[:44], "d_" + good[2:], "d-" + loosen(t, good[2:]), good[:10] + "=" + good[11:],
		good[:10] + "\n" + good[11:], good[:10] + "+" + good[11:], good[:43] + "==", good + "\n",
	} {
		if _, err := record.ID(bad).Hash(); err == nil || !strings.Contains(err.Error(), "is not d- and 43 characters of base64url") {
			t.Errorf("ID(%q).Hash: %v, want an error", bad, err)
		}
	}
}

func TestSeen(t *testing.T) {
	empty := sha256.Sum256(nil)
	if got := record.SeenTree(0, empty); got != record.SeenNothing || got.Hash() != tlog.Hash(empty) {
		t.Errorf("the empty tree is %v, want %v", got, record.SeenNothing)
	}
	root := tlog.RecordHash([]byte("x"))
	if got := record.SeenTree(7, root); got.Size != 7 || got.Hash() != root {
		t.Errorf("SeenTree(7, %v) = %v", root, got)
	}
}

func TestErrorText(t *testing.T) {
	e := &record.Error{Code: record.Malformed, Part: "payload", Member: "lang", Found: "a number", Want: "a string"}
	for want, e := range map[string]*record.Error{
		"record.malformed: payload: member lang: found a number, want a string": e,
		"record.malformed: record: found 70000 bytes":                           {Code: record.Malformed, Part: "record", Found: "70000 bytes"},
	} {
		if e.Error() != want {
			t.Errorf("%q, want %q", e, want)
		}
	}
	if got := record.CodeOf(nil); got != "" {
		t.Errorf("CodeOf(nil) = %q", got)
	}
	// What was found is shown, but not all of a long text.
	changed := tree(t, "decision")
	edit(t, changed, "action", strings.Repeat("long ", 1000))
	if _, err := parseTree(t, changed); err == nil || len(err.Error()) > 300 {
		t.Errorf("%d bytes of error, want at most 300", len(err.Error()))
	}
}

// TestValidOrigin compares with the form as a pattern.
func TestValidOrigin(t *testing.T) {
	pattern := regexp.MustCompile(`^[a-z0-9][a-z0-9.:-]{0,127}(/[a-zA-Z0-9._~-]{1,64}){0,8}$`)
	compare := func(s string) {
		t.Helper()
		if got, want := record.ValidOrigin(s), pattern.MatchString(s); got != want {
			t.Errorf("ValidOrigin(%q) = %v, want %v", s, got, want)
		}
	}
	for _, n := range []int{63, 64, 65, 127, 128, 129} {
		compare(strings.Repeat("a", n))
		compare("a/" + strings.Repeat("B", n))
	}
	for n := range 11 {
		compare("a" + strings.Repeat("/x", n))
	}
	for c := range 256 {
		compare(string([]byte{byte(c)}))
		compare("a" + string([]byte{byte(c)}) + "a")
		compare("a/" + string([]byte{byte(c)}))
	}
	const alphabet = "a0.:-/ZB_~/"
	for range 20000 {
		b := make([]byte, rand.IntN(9))
		for i := range b {
			b[i] = alphabet[rand.IntN(len(alphabet))]
		}
		compare(string(b))
	}
}
