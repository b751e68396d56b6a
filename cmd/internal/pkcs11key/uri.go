// Package pkcs11key signs with an Ed25519 key in a hardware token, through the
// token's PKCS#11 module. The private key never leaves the token.
//
// A key is named by a pkcs11: URI (RFC 7512) with these attributes:
//
//	pkcs11:token=LABEL;object=LABEL?module-path=FILE&pin-source=FILE
//
// serial= may stand in place of token=, or beside it. The PIN is the first line of
// the file of pin-source, which nobody but its owner may read; a URI never holds
// it. Loading a module needs cgo: a program that was built without says so.
package pkcs11key

import (
	"bufio"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// ErrUnsupported says that this program was built without cgo.
var ErrUnsupported = errors.New("this program was built without support for PKCS#11: build it with CGO_ENABLED=1 and a C compiler")

// Scheme is how the URI of a key begins.
const Scheme = "pkcs11:"

// A URI names a key in a token.
type URI struct {
	Module    string // file of the PKCS#11 module, an absolute path
	Token     string // label of the token; may be empty if Serial is not
	Serial    string
	Object    string // label of the key
	PINSource string // file with the PIN, an absolute path
}

// ParseURI reads a URI. An error never repeats the value of an attribute, which
// could be a PIN in the wrong place.
func ParseURI(s string) (URI, error) {
	rest, ok := strings.CutPrefix(s, Scheme)
	if !ok {
		return URI{}, errors.New("the URI of a key in a token begins with pkcs11: (RFC 7512)")
	}
	path, query, _ := strings.Cut(rest, "?")
	var u URI
	places := map[string]*string{"token": &u.Token, "serial": &u.Serial, "object": &u.Object}
	if err := attributes(path, ";", places); err != nil {
		return URI{}, err
	}
	if err := attributes(query, "&", map[string]*string{"module-path": &u.Module, "pin-source": &u.PINSource}); err != nil {
		return URI{}, err
	}
	u.PINSource = strings.TrimPrefix(strings.TrimPrefix(u.PINSource, "file://"), "file:")
	switch {
	case u.Token == "" && u.Serial == "":
		return URI{}, errors.New("pkcs11 URI: token= is missing, the label of the token")
	case u.Object == "":
		return URI{}, errors.New("pkcs11 URI: object= is missing, the label of the key")
	case !filepath.IsAbs(u.Module):
		return URI{}, errors.New("pkcs11 URI: ?module-path= is missing or no absolute path: the PKCS#11 module of the token, like /usr/lib/softhsm/libsofthsm2.so")
	case !filepath.IsAbs(u.PINSource):
		return URI{}, errors.New("pkcs11 URI: &pin-source= is missing or no absolute path: a file of mode 0600 with the PIN")
	}
	return u, nil
}

// attributes reads name=value pairs into places.
func attributes(s, separator string, places map[string]*string) error {
	for pair := range strings.SplitSeq(s, separator) {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		if name == "pin-value" {
			return errors.New("pkcs11 URI: pin-value would show the PIN to every process of this machine: write it into a file of mode 0600 and name that with pin-source=")
		}
		place := places[name]
		if place == nil {
			return fmt.Errorf("pkcs11 URI: the attribute %.40q is not known here: want token, serial, object, and after the ? module-path, pin-source", name)
		}
		if *place != "" {
			return fmt.Errorf("pkcs11 URI: %s is there twice", name)
		}
		decoded, err := url.PathUnescape(value)
		if err != nil || strings.ContainsFunc(decoded, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			return fmt.Errorf("pkcs11 URI: the value of %s is not percent-encoded as it should be", name)
		}
		*place = decoded
	}
	return nil
}

// pin reads the PIN.
func (u URI) pin() (string, error) {
	f, err := os.Open(u.PINSource)
	if err != nil {
		return "", fmt.Errorf("the PIN of the token: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s may be read by others (mode %04o): chmod 600 %s", u.PINSource, info.Mode().Perm(), u.PINSource)
	}
	line, _ := bufio.NewReader(f).ReadString('\n')
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", fmt.Errorf("%s holds no PIN", u.PINSource)
	}
	return line, nil
}
