package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"filippo.io/mldsa"

	"github.com/docket-ledger/docket/verify/record"
)

// An Alg is a signature type of c2sp.org/signed-note: the byte before the
// public key in a VKey.
type Alg byte

// The signature types that are understood.
const (
	Ed25519            Alg = 0x01 // a log's signature over the note text
	Ed25519Cosignature Alg = 0x04 // c2sp.org/tlog-cosignature, timestamped
	MLDSA44Cosignature Alg = 0x06 // c2sp.org/tlog-cosignature, timestamped
)

// maxName is the longest name, in bytes, that an ML-DSA-44 cosignature can carry
// for its cosigner and for the log. Longer ones are not keys or logs here.
const maxName = 255

// A VKey is a public key that signs notes, with its name.
type VKey struct {
	Name string // not empty, no spaces, no plus; a log's is its origin
	Alg  Alg
	Key  []byte // 32 bytes of Ed25519 or 1312 of ML-DSA-44
}

// ParseVKey accepts exactly what String prints for a valid key:
//
//	name+hex8(ID)+base64(Alg ‖ Key)
//
// It refuses Ed25519 keys of small order and those that are not canonical.
func ParseVKey(s string) (VKey, error) {
	name, rest, _ := strings.Cut(s, "+")
	_, b64, _ := strings.Cut(rest, "+")
	if err := checkName(name); err != nil {
		return VKey{}, fmt.Errorf("verifier key: %w", err)
	}
	raw, err := decode64(b64)
	if err != nil || len(raw) == 0 {
		return VKey{}, fmt.Errorf("verifier key of %.300s: not name+id+base64", name)
	}
	k := VKey{Name: name, Alg: Alg(raw[0]), Key: raw[1:]}
	if err := k.check(); err != nil {
		return VKey{}, fmt.Errorf("verifier key of %.300s: %w", name, err)
	}
	if want := k.String(); s != want {
		return VKey{}, fmt.Errorf("verifier key of %s: not spelled as %.*q", name, len(name)+10, want)
	}
	return k, nil
}

// ID returns the key ID: the first four bytes of SHA-256(Name ‖ LF ‖ Alg ‖ Key),
// big-endian.
func (k VKey) ID() uint32 {
	h := sha256.New()
	h.Write([]byte(k.Name))
	h.Write([]byte{'\n', byte(k.Alg)})
	h.Write(k.Key)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// String returns the key as c2sp.org/signed-note spells verifier keys.
func (k VKey) String() string {
	raw := append([]byte{byte(k.Alg)}, k.Key...)
	return fmt.Sprintf("%s+%08x+%s", k.Name, k.ID(), base64.StdEncoding.EncodeToString(raw))
}

func (k VKey) check() error {
	if len(k.Name) > maxName {
		return fmt.Errorf("a name of %d bytes, the most is %d", len(k.Name), maxName)
	}
	switch k.Alg {
	case Ed25519, Ed25519Cosignature:
		jwk, err := record.NewJWK(ed25519.PublicKey(k.Key))
		if err != nil {
			return err
		}
		_, err = jwk.Key() // on small order and canonical form
		return err
	case MLDSA44Cosignature:
		_, err := mldsa.NewPublicKey(mldsa.MLDSA44(), k.Key)
		return err
	}
	return fmt.Errorf("signature type 0x%02x, want 0x01, 0x04 or 0x06", byte(k.Alg))
}

// verify checks a signature on a checkpoint and returns when it was made, in
// seconds since the epoch as its signer says; 0 for plain Ed25519, which does
// not say.
func (k VKey) verify(text string, cp Checkpoint, sig []byte) (time int64, ok bool) {
	if k.Alg == Ed25519 {
		return 0, ed25519.Verify(k.Key, []byte(text), sig)
	}
	if len(sig) < 8 {
		return 0, false
	}
	stamp := binary.BigEndian.Uint64(sig)
	time, sig = int64(stamp), sig[8:]
	if time < 0 {
		return 0, false
	}
	switch k.Alg {
	case Ed25519Cosignature:
		msg := "cosignature/v1\ntime " + strconv.FormatInt(time, 10) + "\n" + text
		return time, ed25519.Verify(k.Key, []byte(msg), sig)
	case MLDSA44Cosignature:
		key, err := mldsa.NewPublicKey(mldsa.MLDSA44(), k.Key)
		if err != nil {
			return 0, false
		}
		return time, mldsa.Verify(key, cosignedMessage(k.Name, stamp, cp), sig, nil) == nil
	}
	return 0, false
}

// cosignedMessage is what an ML-DSA-44 cosigner signs: the cosigned_message of
// c2sp.org/tlog-cosignature for a whole tree. Both names have at most 255 bytes.
func cosignedMessage(cosigner string, stamp uint64, cp Checkpoint) []byte {
	var b bytes.Buffer
	b.WriteString("subtree/v1\n\x00")
	b.WriteByte(byte(len(cosigner)))
	b.WriteString(cosigner)
	b.Write(binary.BigEndian.AppendUint64(nil, stamp))
	b.WriteByte(byte(len(cp.Origin)))
	b.WriteString(cp.Origin)
	b.Write(make([]byte, 8)) // start
	b.Write(binary.BigEndian.AppendUint64(nil, uint64(cp.Size)))
	b.Write(cp.Root[:])
	return b.Bytes()
}

// checkName checks the name of a key as c2sp.org/signed-note says.
func checkName(name string) error {
	bad := func(r rune) bool { return r < 0x20 || r == '+' || unicode.IsSpace(r) }
	switch {
	case name == "":
		return errors.New("a key without a name")
	case !utf8.ValidString(name) || strings.IndexFunc(name, bad) >= 0:
		return fmt.Errorf("the key name %.300q: spaces, plus and control characters are not allowed", name)
	}
	return nil
}

// decode64 decodes standard base64, of which it accepts one spelling.
func decode64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, err
	}
	if base64.StdEncoding.EncodedLen(len(b)) != len(s) { // the decoder skips CR and LF
		return nil, errors.New("a line break in base64")
	}
	return b, nil
}
