package witnessing

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"filippo.io/mldsa"

	"github.com/docket-ledger/docket/verify"
)

// The file of a witness's key is one line, as c2sp.org/signed-note spells private
// keys: PRIVATE+KEY+name+hex8(id)+base64(alg ‖ seed), where the seed has 32 bytes
// for both algorithms.
const privateKey = "PRIVATE+KEY+"

// NewKey returns a new private key as its file has it, for WriteKey, and its
// verifier key: of ML-DSA-44 if pq, else of Ed25519. The error says what is wrong with
// the name.
func NewKey(name string, pq bool) (text string, vkey verify.VKey, err error) {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed) // never fails
	alg := verify.Ed25519Cosignature
	if pq {
		alg = verify.MLDSA44Cosignature
	}
	c, err := newCosigner(name, alg, seed)
	if err != nil {
		return "", verify.VKey{}, err
	}
	return spell(c.VKey(), seed) + "\n", c.VKey(), nil
}

func spell(vkey verify.VKey, seed []byte) string {
	raw := append([]byte{byte(vkey.Alg)}, seed...)
	return fmt.Sprintf("%s%s+%08x+%s", privateKey, vkey.Name, vkey.ID(), base64.StdEncoding.EncodeToString(raw))
}

func newCosigner(name string, alg verify.Alg, seed []byte) (verify.Cosigner, error) {
	var signer crypto.Signer
	switch {
	case len(seed) != ed25519.SeedSize:
		return verify.Cosigner{}, errors.New("a key of another length")
	case alg == verify.Ed25519Cosignature:
		signer = ed25519.NewKeyFromSeed(seed)
	case alg == verify.MLDSA44Cosignature:
		key, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed)
		if err != nil {
			return verify.Cosigner{}, err
		}
		signer = key
	default:
		return verify.Cosigner{}, fmt.Errorf("signature type 0x%02x, want 0x04 or 0x06: a key that signs logs never cosigns", byte(alg))
	}
	return verify.NewCosigner(name, signer)
}

// ReadKey reads what NewKey made. The error never shows the key.
func ReadKey(path string) (verify.Cosigner, error) {
	info, err := os.Stat(path)
	if err != nil {
		return verify.Cosigner{}, err
	}
	if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" { // where modes mean nothing
		return verify.Cosigner{}, fmt.Errorf("%s has mode %04o, others may read it: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	if info.IsDir() || info.Size() > 4096 {
		return verify.Cosigner{}, fmt.Errorf("%s is no file of one line", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return verify.Cosigner{}, err
	}
	text := strings.TrimSuffix(string(b), "\n")
	rest, ok := strings.CutPrefix(text, privateKey)
	name, rest, _ := strings.Cut(rest, "+")
	_, b64, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(b64)
	if !ok || err != nil || len(raw) < 2 {
		return verify.Cosigner{}, fmt.Errorf("%s is no private key of a witness: docket-mirror witness key makes one", path)
	}
	c, err := newCosigner(name, verify.Alg(raw[0]), raw[1:])
	if err != nil {
		return verify.Cosigner{}, fmt.Errorf("%s: %w", path, err)
	}
	if spell(c.VKey(), raw[1:]) != text {
		return verify.Cosigner{}, fmt.Errorf("%s is damaged: name, ID and key don't belong together", path)
	}
	return c, nil
}

// WriteKey writes a new file that only its owner may read. The error wraps
// fs.ErrExist if the file is there: keys are never overwritten.
func WriteKey(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
