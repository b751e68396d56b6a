package record

import (
	"errors"
	"fmt"
	"strings"
)

// A Code names a fault of a record. Codes are stable; package rules has the
// rest of them and a sentence in plain words for each.
type Code string

// The codes that end the examination of a record before the rules see it.
const (
	Malformed        Code = "record.malformed"
	Unsupported      Code = "type.unsupported"
	LedgerMismatch   Code = "ledger.mismatch"
	KeyUnknown       Code = "key.unknown"
	SignatureInvalid Code = "signature.invalid"
)

// An Error says what is wrong with a record: in which part, at which member,
// what was found there and what is wanted. The functions of this package return
// no other error for bytes that are at fault; nothing but other bytes helps.
type Error struct {
	Code Code
	// Part is where: "record", "payload" or "signature 2" (counted from 1).
	Part string
	// Member is the member at fault, as a path like grounds/0/version, or
	// empty for the part as a whole.
	Member string
	// Found and Want describe what is there and what should be.
	Found, Want string
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Code, e.Part)
	if e.Member != "" {
		fmt.Fprintf(&b, ": member %s", e.Member)
	}
	fmt.Fprintf(&b, ": found %s", e.Found)
	if e.Want != "" {
		fmt.Fprintf(&b, ", want %s", e.Want)
	}
	return b.String()
}

// CodeOf returns the code of an *Error in err's chain, or "".
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func malformed(part, member, found, want string) *Error {
	return &Error{Code: Malformed, Part: part, Member: member, Found: found, Want: want}
}

// quote shows a found value, shortened.
func quote(s string) string {
	if len(s) > 80 {
		s = s[:77] + "..."
	}
	return fmt.Sprintf("%q", s)
}
