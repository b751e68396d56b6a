package verify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// MaxNote is the largest signed checkpoint that is read, in bytes.
	MaxNote = 256 << 10

	// maxSignatures is how many signatures a note may carry.
	maxSignatures = 64
)

// A signature is one signature line of a note, not yet checked.
type signature struct {
	name string
	id   uint32
	sig  []byte
}

// keyRef is how a signature line names its key.
type keyRef struct {
	name string
	id   uint32
}

// parseNote splits a signed note into its text, which ends in LF, and its
// signatures. It is stricter than note.Open: base64 has one spelling in every
// line, and there is a limit on size.
func parseNote(signed []byte) (text string, sigs []signature, err error) {
	if len(signed) > MaxNote {
		return "", nil, fmt.Errorf("signed note of %d bytes, the most is %d", len(signed), MaxNote)
	}
	s := string(signed)
	if !utf8.ValidString(s) {
		return "", nil, errors.New("signed note: not UTF-8")
	}
	for i, c := range signed {
		if c < 0x20 && c != '\n' {
			return "", nil, fmt.Errorf("signed note: control character 0x%02x at byte %d", c, i)
		}
	}
	split := strings.LastIndex(s, "\n\n")
	if split < 0 || !strings.HasSuffix(s[split+2:], "\n") {
		return "", nil, errors.New("signed note: no signature lines after a blank line")
	}
	text = s[:split+1]
	for line := range strings.Lines(s[split+2:]) {
		if len(sigs) == maxSignatures {
			return "", nil, fmt.Errorf("signed note: more than %d signatures", maxSignatures)
		}
		sig, err := parseSignature(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return "", nil, fmt.Errorf("signed note: signature line %d: %w", len(sigs)+1, err)
		}
		sigs = append(sigs, sig)
	}
	return text, sigs, nil
}

func parseSignature(line string) (signature, error) {
	rest, ok := strings.CutPrefix(line, "— ")
	name, b64, found := strings.Cut(rest, " ")
	if !ok || !found {
		return signature{}, errors.New("not an em dash, a name and a signature")
	}
	if err := checkName(name); err != nil {
		return signature{}, err
	}
	raw, err := decode64(b64)
	if err != nil || len(raw) < 5 {
		return signature{}, fmt.Errorf("the signature of %s is not base64 of a key ID and a signature", name)
	}
	return signature{name, binary.BigEndian.Uint32(raw), raw[4:]}, nil
}
