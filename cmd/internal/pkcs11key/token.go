//go:build cgo

package pkcs11key

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/miekg/pkcs11"
)

// ed25519Params is the object identifier of Ed25519, 1.3.101.112, in DER: how a
// token is told which curve is meant (PKCS#11 3.0, 2.3.10).
var ed25519Params = []byte{0x06, 0x03, 0x2b, 0x65, 0x70}

// What PKCS#11 3.0 added for Ed25519; the library speaks 2.40.
const (
	keyTypeEdwards = 0x40   // CKK_EC_EDWARDS
	makeEdwards    = 0x1055 // CKM_EC_EDWARDS_KEY_PAIR_GEN
	mechanismEdDSA = 0x1057 // CKM_EDDSA
)

// A Key is an Ed25519 key in a token: a crypto.Signer. Its methods may be used
// concurrently. A key whose token is taken away fails until it is opened again.
type Key struct {
	module *module
	public ed25519.PublicKey
	where  string

	mu      sync.Mutex // a session does one thing at a time
	session pkcs11.SessionHandle
	private pkcs11.ObjectHandle
}

// A module is a PKCS#11 module. It is initialised once for all of its keys.
type module struct {
	*pkcs11.Ctx
	path string
	keys int
}

var (
	modulesMu sync.Mutex
	modules   = map[string]*module{}
)

// Open opens a key that is in the token.
func Open(uri string) (*Key, error) { return open(uri, false) }

// Create opens a key, after making it if the token has none of this label: there,
// and so that it can't be taken out.
func Create(uri string) (*Key, error) { return open(uri, true) }

func open(uri string, create bool) (*Key, error) {
	u, err := ParseURI(uri)
	if err != nil {
		return nil, err
	}
	pin, err := u.pin()
	if err != nil {
		return nil, err
	}
	m, err := load(u.Module)
	if err != nil {
		return nil, err
	}
	k := &Key{module: m, where: fmt.Sprintf("the key %q in the token %q", u.Object, u.Token+u.Serial)}
	if err := k.open(u, pin, create); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", k.where, err), k.Close())
	}
	return k, nil
}

// load loads a module, or counts one more user of it.
func load(path string) (*module, error) {
	modulesMu.Lock()
	defer modulesMu.Unlock()
	m := modules[path]
	if m == nil {
		m = &module{Ctx: pkcs11.New(path), path: path}
		if m.Ctx == nil {
			return nil, fmt.Errorf("%s can't be loaded as a PKCS#11 module: is it there, and for this kind of processor?", path)
		}
		if err := m.Initialize(); err != nil {
			m.Destroy()
			return nil, fmt.Errorf("initialise the PKCS#11 module %s: %w", path, err)
		}
		modules[path] = m
	}
	m.keys++
	return m, nil
}

func (m *module) release() error {
	modulesMu.Lock()
	defer modulesMu.Unlock()
	if m.keys--; m.keys > 0 {
		return nil
	}
	delete(modules, m.path)
	defer m.Destroy()
	return m.Finalize()
}

func (k *Key) open(u URI, pin string, create bool) error {
	slot, err := k.module.slot(u)
	if err != nil {
		return err
	}
	if k.session, err = k.module.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION); err != nil {
		return err
	}
	err = k.module.Login(k.session, pkcs11.CKU_USER, pin)
	if err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
		return fmt.Errorf("log in with the PIN of %s: %w", u.PINSource, err)
	}
	private, err := k.find(pkcs11.CKO_PRIVATE_KEY, u.Object)
	if err != nil {
		return err
	}
	if len(private) == 0 && create {
		if err := k.generate(u.Object); err != nil {
			return fmt.Errorf("make it: %w", err)
		}
		if private, err = k.find(pkcs11.CKO_PRIVATE_KEY, u.Object); err != nil {
			return err
		}
	}
	public, err := k.find(pkcs11.CKO_PUBLIC_KEY, u.Object)
	if err != nil {
		return err
	}
	if len(private) != 1 || len(public) != 1 {
		return fmt.Errorf("%d private and %d public Ed25519 keys have this label, want one of each", len(private), len(public))
	}
	k.private = private[0]
	k.public, err = k.point(public[0])
	return err
}

// slot finds the one slot whose token is meant.
func (m *module) slot(u URI) (uint, error) {
	slots, err := m.GetSlotList(true)
	if err != nil {
		return 0, err
	}
	var found []uint
	for _, slot := range slots {
		info, err := m.GetTokenInfo(slot)
		if err != nil {
			continue // taken out this moment, or not of this kind
		}
		if (u.Token == "" || info.Label == u.Token) && (u.Serial == "" || info.SerialNumber == u.Serial) {
			found = append(found, slot)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d tokens of this name are plugged in, want one (serial= tells them apart)", len(found))
	}
	return found[0], nil
}

func (k *Key) find(class uint, label string) ([]pkcs11.ObjectHandle, error) {
	if err := k.module.FindObjectsInit(k.session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, uint(keyTypeEdwards)),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, label)}); err != nil {
		return nil, err
	}
	found, _, err := k.module.FindObjects(k.session, 2)
	return found, errors.Join(err, k.module.FindObjectsFinal(k.session))
}

func (k *Key) generate(label string) error {
	_, _, err := k.module.GenerateKeyPair(k.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(makeEdwards, nil)},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, ed25519Params), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true),
		},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
			pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
			pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false), pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		})
	return err
}

// point reads the public key: 32 bytes, in an OCTET STRING as most tokens say it.
func (k *Key) point(h pkcs11.ObjectHandle) (ed25519.PublicKey, error) {
	got, err := k.module.GetAttributeValue(k.session, h, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil)})
	if err != nil {
		return nil, fmt.Errorf("read the public key: %w", err)
	}
	point := got[0].Value
	if len(point) == 2+ed25519.PublicKeySize && point[0] == 0x04 && point[1] == ed25519.PublicKeySize {
		point = point[2:]
	}
	if len(point) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("the token has a public key of %d bytes, which is not one of Ed25519", len(point))
	}
	return ed25519.PublicKey(point), nil
}

// Public implements crypto.Signer.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer for Ed25519: message is signed as it is.
func (k *Key) Sign(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != 0 {
		return nil, errors.New("Ed25519 signs the message, not a hash of it")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.module.SignInit(k.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanismEdDSA, nil)}, k.private)
	if err != nil {
		return nil, fmt.Errorf("%s does not sign: %w", k.where, err)
	}
	sig, err := k.module.Sign(k.session, message)
	if err != nil {
		return nil, fmt.Errorf("%s does not sign: %w", k.where, err)
	}
	return sig, nil
}

// Close ends the session. The key must not be used any more.
func (k *Key) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var err error
	if k.session != 0 {
		err = k.module.CloseSession(k.session)
	}
	if gone := (pkcs11.Error)(0); errors.As(err, &gone) { // with its token
		err = nil
	}
	return errors.Join(err, k.module.release())
}
