//go:build !cgo

package pkcs11key

import (
	"crypto"
	"io"
)

// A Key is never made in a program without cgo.
type Key struct{}

// Open returns ErrUnsupported, or what is wrong with the URI.
func Open(uri string) (*Key, error) {
	if _, err := ParseURI(uri); err != nil {
		return nil, err
	}
	return nil, ErrUnsupported
}

// Create is like Open.
func Create(uri string) (*Key, error) { return Open(uri) }

// Public implements crypto.Signer.
func (*Key) Public() crypto.PublicKey { return nil }

// Sign implements crypto.Signer.
func (*Key) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, ErrUnsupported }

// Close does nothing.
func (*Key) Close() error { return nil }
