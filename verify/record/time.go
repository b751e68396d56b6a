package record

import (
	"fmt"
	"time"
)

// A Time is a point in time in seconds since 1970, spelled in RFC 3339, UTC,
// whole seconds: 2026-11-23T08:00:00Z. The zero Time is "not given".
type Time int64

// maxTime is the last second of the year 9999.
const maxTime = 253402300799

const timeForm = "a time like 2026-11-23T08:00:00Z (RFC 3339, UTC, whole seconds)"

// timeError is the error for a text that is not a time.
type timeError struct{ text string }

func (e *timeError) Error() string { return fmt.Sprintf("%s is not %s", quote(e.text), timeForm) }

// ParseTime returns the time that s spells, in the one accepted spelling. The
// error shows s and says what is wanted.
func ParseTime(s string) (Time, error) {
	t, err := time.Parse("2006-01-02T15:04:05Z", s)
	if err != nil || t.Unix() < 1 || t.Unix() > maxTime || Time(t.Unix()).String() != s {
		return 0, &timeError{s}
	}
	return Time(t.Unix()), nil
}

// String returns the spelling, or "" for the zero Time.
func (t Time) String() string {
	if t == 0 {
		return ""
	}
	return time.Unix(int64(t), 0).UTC().Format("2006-01-02T15:04:05Z")
}

// Unix returns the seconds since 1970.
func (t Time) Unix() int64 { return int64(t) }

// MarshalText implements encoding.TextMarshaler.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Time) UnmarshalText(b []byte) error {
	parsed, err := ParseTime(string(b))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}
