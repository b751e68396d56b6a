// Package keyfile reads and writes the private keys of those who sign records,
// and the key of the subject pseudonyms.
//
// A signer's key is a private JWK (RFC 7517) of an Ed25519 (RFC 8037) or P-256
// (RFC 7518) key, in a file that only its owner may read:
//
//	{"kty":"OKP","kid":"…","crv":"Ed25519","x":"…","d":"…"}
//
// With a passphrase the file is that JWK as a JWE in compact serialization (RFC
// 7516; RFC 7517, Section 7), PBES2-HS512+A256KW and A256GCM of RFC 7518 with
// 600,000 iterations, so other JOSE tools open it, too. PBES2-HS256+A128KW is
// read as well. Whoever can write the file names the iterations, and so the work
// of whoever opens it: more than 1,000,000 are refused.
package keyfile

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/verify/record"
)

// The algorithms of a key.
const (
	EdDSA = "EdDSA"
	ES256 = "ES256"
)

var (
	// ErrPassphrase is wrapped by the error of Read for a file that is
	// encrypted, if the passphrase is missing or wrong.
	ErrPassphrase = errors.New("passphrase")
	// ErrMode is wrapped by the error of Read if others may read the file.
	// Its text says what to do.
	ErrMode = errors.New("others may read it")
)

const (
	// iterations of PBKDF2 with HMAC-SHA-512 stretch a passphrase, in about
	// half a second.
	iterations = 600_000
	// maxIterations are the most that are done for a file; go-jose has the
	// same bound.
	maxIterations = 1_000_000
	// maxFile is the largest key file that is read, in bytes.
	maxFile = 64 << 10
)

// New makes a key for an algorithm, EdDSA or ES256.
func New(alg string) (crypto.Signer, error) {
	switch alg {
	case EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return nil, fmt.Errorf("algorithm %q, want %s or %s", alg, EdDSA, ES256)
}

// Write writes a key that New made to a new file, with mode 0600. A passphrase
// that is not empty encrypts it. If there is a file already, it is left alone
// and the error wraps fs.ErrExist.
func Write(path string, key crypto.Signer, passphrase []byte) error {
	public, err := record.NewJWK(key.Public())
	if err != nil {
		return err
	}
	text, err := jose.JSONWebKey{Key: key, KeyID: public.KID()}.MarshalJSON()
	if err != nil {
		return fmt.Errorf("write key %s: %w", path, err)
	}
	if len(passphrase) > 0 {
		if text, err = encrypt(text, passphrase); err != nil {
			return fmt.Errorf("encrypt key %s: %w", path, err)
		}
	}
	return create(path, append(text, '\n'))
}

// create writes a new file that only its owner may read.
func create(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists, and keys are never overwritten: %w", path, fs.ErrExist)
	}
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	return errors.Join(f.Sync(), f.Close())
}

func encrypt(text, passphrase []byte) ([]byte, error) {
	to := jose.Recipient{Algorithm: jose.PBES2_HS512_A256KW, Key: passphrase, PBES2Count: iterations}
	e, err := jose.NewEncrypter(jose.A256GCM, to, (&jose.EncrypterOptions{}).WithContentType("jwk+json"))
	if err != nil {
		return nil, err
	}
	sealed, err := e.Encrypt(text)
	if err != nil {
		return nil, err
	}
	compact, err := sealed.CompactSerialize()
	return []byte(compact), err
}

// Read reads a key. passphrase is called if the file is encrypted; it may be nil.
// The error wraps ErrMode if not only its owner may read the file, and
// ErrPassphrase if the passphrase is at fault.
func Read(path string, passphrase func() ([]byte, error)) (crypto.Signer, error) {
	text, err := readFile(path, true)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(text, []byte("{")) {
		if text, err = decrypt(string(text), passphrase); err != nil {
			return nil, fmt.Errorf("key %s: %w", path, err)
		}
	}
	key, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, err)
	}
	return key, nil
}

// parse returns the private key of a JWK. It says nothing of the text itself,
// which may be half a key.
func parse(text []byte) (crypto.Signer, error) {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(text); err != nil {
		return nil, errors.New("not a private JWK, or one that is cut short or was changed")
	}
	if jwk.IsPublic() {
		return nil, errors.New("no private key; this may be its public part")
	}
	key, ok := jwk.Key.(crypto.Signer)
	if !ok {
		return nil, errors.New("no private key that signs, want one of Ed25519 or P-256")
	}
	if _, err := record.NewJWK(key.Public()); err != nil {
		return nil, err
	}
	return key, nil
}

// readFile reads a small file without the white space around its text. A secret
// one must be its owner's alone.
func readFile(path string, secret bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory, want a key file", path)
	case secret && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows": // where modes mean nothing
		return nil, fmt.Errorf("key %s has mode %04o, %w: chmod 600 %s", path, info.Mode().Perm(), ErrMode, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes, which is no key", path, maxFile)
	}
	return bytes.TrimSpace(text), nil
}

// decrypt opens a JWE. It looks at the iterations before it asks for anything.
func decrypt(text string, passphrase func() ([]byte, error)) ([]byte, error) {
	sealed, err := jose.ParseEncryptedCompact(text,
		[]jose.KeyAlgorithm{jose.PBES2_HS512_A256KW, jose.PBES2_HS256_A128KW}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return nil, errors.New("neither a JWK nor a JWK that is encrypted with a passphrase, or one that is cut short")
	}
	if n := count(text); n < 1 || n > maxIterations {
		return nil, fmt.Errorf("it asks for %d iterations of its passphrase, the most is %d: not a key that docket wrote", n, maxIterations)
	}
	if passphrase == nil {
		return nil, fmt.Errorf("it is encrypted: %w missing", ErrPassphrase)
	}
	secret, err := passphrase()
	if err != nil {
		return nil, err
	}
	opened, err := sealed.Decrypt(secret)
	if err != nil {
		return nil, fmt.Errorf("wrong %w, or the file is damaged", ErrPassphrase)
	}
	return opened, nil
}

// count returns the iterations that the header of a compact JWE asks for.
func count(text string) int64 {
	header, _, _ := strings.Cut(text, ".")
	b, err := base64.RawURLEncoding.DecodeString(header)
	var h struct {
		P2C int64 `json:"p2c"`
	}
	if err != nil || json.Unmarshal(b, &h) != nil {
		return 0
	}
	return h.P2C
}

// ReadPassphrase reads the first line of a file.
func ReadPassphrase(path string) ([]byte, error) {
	f, err := os.Open(path) // may be a pipe
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return nil, fmt.Errorf("%s: the first line is empty, want a passphrase", path)
	}
	return []byte(line), nil
}

// ReadPublic reads a public JWK. It refuses a file with a private key, which
// should not have been handed on.
func ReadPublic(path string) (record.JWK, error) {
	text, err := readFile(path, false)
	if err != nil {
		return record.JWK{}, err
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		return record.JWK{}, fmt.Errorf("%s: not a public JWK", path)
	}
	if _, private := members["d"]; private {
		return record.JWK{}, fmt.Errorf("%s holds a private key, want its public part: docket key show %s --jwk", path, filepath.Base(path))
	}
	var jwk record.JWK
	if err := json.Unmarshal(text, &jwk); err != nil { // kid, alg and use may be there
		return record.JWK{}, fmt.Errorf("%s: not a public JWK", path)
	}
	if _, err := jwk.Key(); err != nil {
		return record.JWK{}, fmt.Errorf("%s: %w", path, err)
	}
	return jwk, nil
}
