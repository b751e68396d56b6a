package datadir

import (
	"cmp"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/mldsa"

	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/cmd/internal/pkcs11key"
	"github.com/docket-ledger/docket/verify"
)

// Log keys are in files of keys/: log.key signs, next.key will; each with its
// verifier key in a .vkey beside it. Their own ML-DSA-44 keys, if there are any, are
// log-pq and next-pq. Former keys are retired-ID. A .key file holds
//
//	PRIVATE+KEY+origin+id+base64    the type and the seed, 32 bytes
//	pkcs11:…                        where the key is, in a token
//
// of which the first is how x/mod/sumdb/note spells Ed25519 keys; for ML-DSA-44 the
// type is 0x06.
const (
	current = "log"
	next    = "next"
	pq      = "-pq"
)

// KeyOptions say which keys are made.
type KeyOptions struct {
	// PQ makes an ML-DSA-44 key beside the log key.
	PQ bool
	// Token, if set, is the pkcs11: URI of the log key, which is made in the
	// token if it is not there.
	Token string
}

// Keys are the public halves of keys that were made.
type Keys struct {
	VKey    string
	PQ      string           // "" if there is none
	Machine crypto.PublicKey // nil unless it was made
}

// CreateKeys makes the log key and the machine key of a new ledger in dir, which
// it makes if need be. It overwrites nothing: the error wraps fs.ErrExist if
// there is a key.
func CreateKeys(dir, origin string, opt KeyOptions) (Keys, error) {
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		return Keys{}, err
	}
	if err := checkVersion(dir); err != nil {
		return Keys{}, err
	}
	made, err := createLogKey(dir, current, origin, opt)
	if err != nil {
		return Keys{}, err
	}
	key, err := keyfile.New(keyfile.EdDSA)
	if err != nil {
		return Keys{}, err
	}
	made.Machine = key.Public()
	return made, keyfile.Write(keyPath(dir, "machine.jwk"), key, nil)
}

// CreateNext makes the key that will follow the log key of dir. If it was made
// already it is returned; it signs nothing before Succeed.
func CreateNext(dir string, opt KeyOptions) (Keys, error) {
	vkey, err := readVKey(dir, current)
	if err != nil {
		return Keys{}, err
	}
	made, err := createLogKey(dir, next, vkey.Name, opt)
	if !errors.Is(err, fs.ErrExist) {
		return made, err
	}
	return finishLogKey(dir, next, opt)
}

// CreatePQ makes an ML-DSA-44 key beside the log key that dir has. The error wraps
// fs.ErrExist if it has one.
func CreatePQ(dir string) (Keys, error) {
	vkey, err := readVKey(dir, current)
	if err != nil {
		return Keys{}, err
	}
	made, err := createPQ(dir, current, vkey.Name)
	return Keys{VKey: vkey.String(), PQ: made}, err
}

// createLogKey makes a log key. The .key file comes first: what is there without
// it is the rest of a succession, see finishSuccession.
func createLogKey(dir, name, origin string, opt KeyOptions) (Keys, error) {
	if _, err := os.Lstat(keyPath(dir, name+".key")); !errors.Is(err, fs.ErrNotExist) {
		return Keys{}, fmt.Errorf("%s: %w", keyPath(dir, name+".key"), cmp.Or(err, fs.ErrExist))
	}
	var key *logKey
	var text string
	var err error
	if opt.Token == "" {
		seed := make([]byte, ed25519.SeedSize)
		rand.Read(seed)
		if key, err = seededKey(origin, verify.Ed25519, seed); err == nil {
			text = spellKey(key.VKey(), seed)
		}
	} else {
		text = opt.Token
		key, err = tokenKey(origin, opt.Token, pkcs11key.Create)
	}
	if err != nil {
		return Keys{}, err
	}
	defer key.close()
	if err := create(keyPath(dir, name+".key"), text+"\n", 0o600); err != nil {
		return Keys{}, err
	}
	if err := create(keyPath(dir, name+".vkey"), key.VKey().String()+"\n", 0o644); err != nil {
		return Keys{}, err
	}
	made := Keys{VKey: key.VKey().String()}
	if opt.PQ {
		made.PQ, err = createPQ(dir, name, origin)
	}
	return made, errors.Join(err, syncDir(keyPath(dir, "")))
}

// finishLogKey returns a key that is there, with what was not made of it when its
// making was interrupted.
func finishLogKey(dir, name string, opt KeyOptions) (Keys, error) {
	vkey, err := readVKey(dir, current)
	if err != nil {
		return Keys{}, err
	}
	key, err := openKeyFile(dir, name, vkey.Name)
	if err != nil {
		return Keys{}, err
	}
	defer key.close()
	made := Keys{VKey: key.VKey().String()}
	if err := create(keyPath(dir, name+".vkey"), made.VKey+"\n", 0o644); err != nil && !errors.Is(err, fs.ErrExist) {
		return Keys{}, err
	}
	if opt.PQ {
		made.PQ, err = createPQ(dir, name, vkey.Name)
		if !errors.Is(err, fs.ErrExist) {
			return made, err
		}
	}
	had, err := readKey(dir, name+pq)
	if errors.Is(err, fs.ErrNotExist) {
		return made, nil
	}
	if err != nil {
		return Keys{}, err
	}
	made.PQ = had.VKey().String()
	return made, nil
}

func createPQ(dir, name, origin string) (string, error) {
	seed := make([]byte, mldsa.PrivateKeySize)
	rand.Read(seed)
	key, err := seededKey(origin, verify.MLDSA44Cosignature, seed)
	if err != nil {
		return "", err
	}
	if err := create(keyPath(dir, name+pq+".key"), spellKey(key.VKey(), seed)+"\n", 0o600); err != nil {
		return "", err
	}
	vkey := key.VKey().String()
	return vkey, errors.Join(create(keyPath(dir, name+pq+".vkey"), vkey+"\n", 0o644), syncDir(keyPath(dir, "")))
}

// A logKey signs checkpoints; close releases its token.
type logKey struct {
	*verify.LogSigner
	token *pkcs11key.Key
}

func (k *logKey) close() error {
	if k == nil || k.token == nil {
		return nil
	}
	return k.token.Close()
}

func spellKey(vkey verify.VKey, seed []byte) string {
	return fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", vkey.Name, vkey.ID(), base64.StdEncoding.EncodeToString(append([]byte{byte(vkey.Alg)}, seed...)))
}

// seededKey is a key in memory.
func seededKey(origin string, alg verify.Alg, seed []byte) (*logKey, error) {
	var key crypto.Signer
	switch {
	case alg == verify.Ed25519 && len(seed) == ed25519.SeedSize:
		key = ed25519.NewKeyFromSeed(seed)
	case alg == verify.MLDSA44Cosignature && len(seed) == mldsa.PrivateKeySize:
		private, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed)
		if err != nil {
			return nil, err
		}
		key = private
	default:
		return nil, errors.New("want 32 bytes of Ed25519 or ML-DSA-44")
	}
	s, err := verify.NewLogSigner(origin, key)
	return &logKey{LogSigner: s}, err
}

// tokenKey is a key in a token.
func tokenKey(origin, uri string, open func(string) (*pkcs11key.Key, error)) (*logKey, error) {
	token, err := open(uri)
	if err != nil {
		return nil, err
	}
	s, err := verify.NewLogSigner(origin, token)
	if err != nil {
		return nil, errors.Join(err, token.Close())
	}
	return &logKey{s, token}, nil
}

// readKey opens a key whose verifier key is beside it.
func readKey(dir, name string) (*logKey, error) {
	vkey, err := readVKey(dir, name)
	if err != nil {
		return nil, err
	}
	key, err := openKeyFile(dir, name, vkey.Name)
	if err != nil {
		return nil, err
	}
	return matching(key, vkey, keyPath(dir, name+".vkey"))
}

// matching closes a key that is not the one of vkey.
func matching(key *logKey, vkey verify.VKey, file string) (*logKey, error) {
	if key.VKey().String() != vkey.String() {
		return nil, errors.Join(fmt.Errorf("%s is not the verifier key of the private key beside it", file), key.close())
	}
	return key, nil
}

// openKeyFile reads a private key, whose mode must keep others out. No error says
// what the file holds.
func openKeyFile(dir, name, origin string) (*logKey, error) {
	path := keyPath(dir, name+".key")
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s may be read by others (mode %04o): chmod 600 %s", path, info.Mode().Perm(), path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(string(b))
	if strings.HasPrefix(text, pkcs11key.Scheme) {
		key, err := tokenKey(origin, text, pkcs11key.Open)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return key, nil
	}
	items := strings.SplitN(text, "+", 5)
	damaged := fmt.Errorf("%s holds no log key: put it back from a backup", path)
	if len(items) != 5 {
		return nil, damaged
	}
	raw, err := base64.StdEncoding.DecodeString(items[4])
	if err != nil || len(raw) == 0 {
		return nil, damaged
	}
	key, err := seededKey(items[2], verify.Alg(raw[0]), raw[1:])
	if err != nil || spellKey(key.VKey(), raw[1:]) != text || items[2] != origin {
		return nil, damaged
	}
	return key, nil
}

// inToken reports whether the file of the log key only says in which token it is.
func inToken(dir string) bool {
	b, err := os.ReadFile(keyPath(dir, current+".key"))
	return err == nil && strings.HasPrefix(string(b), pkcs11key.Scheme)
}

func readVKey(dir, name string) (verify.VKey, error) {
	path := keyPath(dir, name+".vkey")
	b, err := os.ReadFile(path)
	if err != nil {
		return verify.VKey{}, err
	}
	vkey, err := verify.ParseVKey(strings.TrimSpace(string(b)))
	if err != nil {
		return verify.VKey{}, fmt.Errorf("%s: %w", path, err)
	}
	return vkey, nil
}

// formerKeys are the verifier keys of those that were retired.
func formerKeys(dir string) ([]string, error) {
	files, err := filepath.Glob(keyPath(dir, "retired-*.vkey"))
	if err != nil {
		return nil, err
	}
	var former []string
	for _, f := range files {
		vkey, err := readVKey(dir, strings.TrimSuffix(filepath.Base(f), ".vkey"))
		if err != nil {
			return nil, err
		}
		former = append(former, vkey.String())
	}
	slices.Sort(former)
	return former, nil
}

// ownPolicy is the policy that takes what the log key, or one before it, signed.
func ownPolicy(dir string) (*verify.Policy, error) {
	vkey, err := readVKey(dir, current)
	if err != nil {
		return nil, err
	}
	former, err := formerKeys(dir)
	if err != nil {
		return nil, err
	}
	lines := ""
	for _, key := range append([]string{vkey.String()}, former...) {
		lines += "log " + key + "\n"
	}
	return verify.ParsePolicy([]byte(lines + "quorum none\n"))
}

func keyPath(dir, file string) string { return filepath.Join(dir, "keys", file) }
