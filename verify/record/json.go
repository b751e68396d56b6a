package record

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// encode returns the canonical JSON (RFC 8785) of v.
func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if _, ok := v.(inOrder); ok || err != nil {
		return b, err
	}
	value := jsontext.Value(b)
	if err := value.Canonicalize(); err != nil {
		return nil, err
	}
	return value, nil
}

// inOrder marks types whose members are declared in the order of RFC 8785, as
// are those of their parts: what json.Marshal prints of them is canonical.
type inOrder interface{ inOrder() }

func (*Header) inOrder() {}
func (*jws) inOrder()    {}

// decode parses b into v and accepts exactly what encode would produce. v must
// point to a zero value. part names what b is, for the error. check looks at v
// before the spellings are compared: that a member is missing says more than
// where the bytes part.
func decode(part string, b []byte, v any, check func(*checker)) error {
	if err := json.Unmarshal(b, v, json.RejectUnknownMembers(true)); err != nil {
		return jsonError(part, b, err)
	}
	c := checker{part: part}
	if check(&c); c.err != nil {
		return c.err
	}
	canonical, err := encode(v)
	if err != nil {
		return malformed(part, "", "text that can't be encoded", "JSON of strings and integers")
	}
	if !bytes.Equal(b, canonical) {
		return spellingError(part, b, canonical)
	}
	return nil
}

// spellingError says where b parts from its canonical form.
func spellingError(part string, b, canonical []byte) *Error {
	i := 0
	for i < len(b) && i < len(canonical) && b[i] == canonical[i] {
		i++
	}
	from := max(0, i-12)
	window := func(t []byte) string { return quote(string(t[from:min(len(t), i+12)])) }
	member, other := memberAt(b, i), memberAt(canonical, i)
	if strings.HasPrefix(other, member) || other < member && !strings.HasPrefix(member, other) {
		member = other // it is missing in b, or comes later
	}
	return malformed(part, member, fmt.Sprintf("%s at byte %d", window(b), i),
		"canonical JSON (RFC 8785; no null, no empty or false member): "+window(canonical))
}

// memberAt returns the member of the JSON text b that byte i belongs to.
func memberAt(b []byte, i int) string {
	d := jsontext.NewDecoder(bytes.NewReader(b))
	for {
		if _, err := d.ReadToken(); err != nil || d.InputOffset() > int64(i) {
			return strings.TrimPrefix(string(d.StackPointer()), "/")
		}
	}
}

// jsonError turns the error of a JSON parser into one that names the member.
func jsonError(part string, b []byte, err error) *Error {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic):
		member := strings.TrimPrefix(string(semantic.JSONPointer), "/")
		var notTime *timeError
		switch {
		case errors.Is(err, json.ErrUnknownName):
			return malformed(part, member, "a member that is not known here", "it left out")
		case errors.As(err, &notTime):
			return malformed(part, member, quote(notTime.text), timeForm)
		}
		found := kindName(semantic.JSONKind)
		if semantic.JSONKind == '0' && semantic.JSONValue != nil {
			found = "the number " + string(semantic.JSONValue)
		}
		return malformed(part, member, found, typeName(semantic.GoType))
	case errors.As(err, &syntactic):
		member := strings.TrimPrefix(string(syntactic.JSONPointer), "/")
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return malformed(part, member, "a member that stands twice", "each member once")
		}
		at := int(min(syntactic.ByteOffset, int64(len(b))))
		return malformed(part, member, fmt.Sprintf("%s at byte %d", quote(string(b[at:min(len(b), at+12)])), at), "JSON")
	}
	return malformed(part, "", "text that is not JSON", "JSON")
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "something else"
}

func typeName(t reflect.Type) string {
	if t == nil {
		return "another value"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "an array"
	}
	return "an object"
}

// decode64 is strict unpadded base64url (RFC 7515, Section 2): it refuses line
// breaks, which Go's decoder skips, and trailing bits that are not zero.
func decode64(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, err
	}
	if base64.RawURLEncoding.EncodedLen(len(b)) != len(s) {
		return nil, errors.New("line break in base64url")
	}
	return b, nil
}
