package verify

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"filippo.io/mldsa"
)

// A Cosigner signs checkpoints with a time, as c2sp.org/tlog-cosignature says.
// Its key serves for nothing else. It may be used concurrently if its signer may.
type Cosigner struct {
	key    VKey
	signer crypto.Signer
}

// NewCosigner returns a cosigner with a name, which is a URL without scheme by
// custom, and a key of Ed25519 or ML-DSA-44. The error says what is wrong with
// name or key.
func NewCosigner(name string, signer crypto.Signer) (Cosigner, error) {
	key := VKey{Name: name}
	switch public := signer.Public().(type) {
	case ed25519.PublicKey:
		key.Alg, key.Key = Ed25519Cosignature, public
	case *mldsa.PublicKey:
		key.Alg, key.Key = MLDSA44Cosignature, public.Bytes()
	default:
		return Cosigner{}, fmt.Errorf("cosigner %s: a key of type %T, want one of Ed25519 or ML-DSA-44", name, public)
	}
	if _, err := ParseVKey(key.String()); err != nil {
		return Cosigner{}, fmt.Errorf("cosigner: %w", err)
	}
	return Cosigner{key, signer}, nil
}

// VKey returns the verifier key.
func (c Cosigner) VKey() VKey { return c.key }

// Cosign returns the signature line over a checkpoint, with its LF. at is in
// seconds since 1970 and not negative. The error is one of the signer, or says
// that cp is no checkpoint.
func (c Cosigner) Cosign(cp Checkpoint, at int64) (string, error) {
	text := cp.Text()
	if _, err := ParseCheckpoint(text); err != nil {
		return "", err
	}
	message := []byte("cosignature/v1\ntime " + strconv.FormatInt(at, 10) + "\n" + text)
	if c.key.Alg == MLDSA44Cosignature {
		message = cosignedMessage(c.key.Name, uint64(at), cp)
	}
	sig, err := c.signer.Sign(nil, message, crypto.Hash(0))
	if err != nil {
		return "", fmt.Errorf("cosign the checkpoint of %s, size %d: %w", cp.Origin, cp.Size, err)
	}
	stamped := append(binary.BigEndian.AppendUint64(nil, uint64(at)), sig...)
	if made, ok := c.key.verify(text, cp, stamped); !ok || made != at {
		return "", fmt.Errorf("cosign the checkpoint of %s, size %d, at %d: the signature does not verify", cp.Origin, cp.Size, at)
	}
	raw := append(binary.BigEndian.AppendUint32(nil, c.key.ID()), stamped...)
	return "— " + c.key.Name + " " + base64.StdEncoding.EncodeToString(raw) + "\n", nil
}

// KeepLines returns a signed note with only the signature lines that name one of
// the keys, in their order; there may be none left. It checks no signature.
func KeepLines(signed []byte, keys ...VKey) ([]byte, error) {
	_, sigs, err := parseNote(signed)
	if err != nil {
		return nil, err
	}
	split := bytes.LastIndex(signed, []byte("\n\n")) + 2
	kept := slices.Clone(signed[:split])
	i := 0
	for line := range strings.Lines(string(signed[split:])) {
		sig := sigs[i]
		i++
		if slices.ContainsFunc(keys, func(k VKey) bool { return k.Name == sig.name && k.ID() == sig.id }) {
			kept = append(kept, line...)
		}
	}
	return kept, nil
}
