package keyfile

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/docket-ledger/docket/verify/record"
)

// A SubjectKey makes the pseudonyms of subjects: whoever has it can tell which
// records are about a subject, nobody else can. Its file is the unpadded
// base64url of its 32 bytes; the charter has their SHA-256.
type SubjectKey [32]byte

// NewSubjectKey makes a key and writes it to a new file, with mode 0600.
func NewSubjectKey(path string) (SubjectKey, error) {
	var k SubjectKey
	if _, err := rand.Read(k[:]); err != nil {
		return k, err
	}
	return k, create(path, []byte(base64.RawURLEncoding.EncodeToString(k[:])+"\n"))
}

// ReadSubjectKey reads a key.
func ReadSubjectKey(path string) (SubjectKey, error) {
	text, err := readFile(path, false)
	if err != nil {
		return SubjectKey{}, err
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != len(SubjectKey{}) {
		return SubjectKey{}, fmt.Errorf("subject key %s: not 32 bytes of unpadded base64url", path)
	}
	return SubjectKey(b), nil
}

// Hash returns the subject_key_hash of a charter: the unpadded base64url SHA-256
// of the key.
func (k SubjectKey) Hash() string {
	sum := sha256.Sum256(k[:])
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Ref returns the pseudonym of a subject, the ref of a record.Subject: the
// unpadded base64url of the HMAC-SHA-256, under the key, of Canonical's UTF-8.
func (k SubjectKey) Ref(kind, name string) (string, error) {
	text, err := Canonical(kind, name)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}

// Canonical returns the one spelling of a subject that is hashed: its type, a
// colon, and
//
//	domain      the name in lower-case A-labels (RFC 5890), no final dot
//	url         scheme and host in lower case, the host as a domain or address, no
//	            default port, no fragment, / for an empty path; the rest as it is
//	ip_address  the address as RFC 5952 spells it
//	account     the text as it is, in NFC, without white space around it
//	other       as account
//
// Example.COM. of type domain is "domain:example.com".
func Canonical(kind, name string) (string, error) {
	if !slices.Contains(record.SubjectTypes, kind) {
		return "", fmt.Errorf("subject type %q, want one of %s", kind, strings.Join(record.SubjectTypes, ", "))
	}
	name = strings.TrimSpace(name)
	if name == "" {
		return "", errors.New("the subject has no name")
	}
	var err error
	switch kind {
	case "domain":
		name, err = canonicalDomain(name)
	case "url":
		name, err = canonicalURL(name)
	case "ip_address":
		var addr netip.Addr
		addr, err = netip.ParseAddr(name)
		name = addr.Unmap().String()
	default:
		name = norm.NFC.String(name)
	}
	if err != nil {
		return "", fmt.Errorf("%s %q: %w", kind, name, err)
	}
	return kind + ":" + name, nil
}

func canonicalDomain(name string) (string, error) {
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(name, "."))
	if err != nil {
		return name, err
	}
	if !strings.Contains(ascii, ".") {
		return name, errors.New("want a domain like example.com")
	}
	return strings.ToLower(ascii), nil
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

func canonicalURL(name string) (string, error) {
	u, err := url.Parse(name)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil {
		return name, errors.New("want a URL like https://example.com/page")
	}
	u.Scheme = strings.ToLower(u.Scheme)
	host := u.Hostname()
	if addr, err := netip.ParseAddr(host); err == nil {
		if host = addr.Unmap().String(); addr.Unmap().Is6() {
			host = "[" + host + "]"
		}
	} else if host, err = canonicalDomain(host); err != nil {
		return name, err
	}
	if port := u.Port(); port != "" && port != defaultPorts[u.Scheme] {
		host += ":" + port
	}
	u.Host, u.Fragment, u.RawFragment = host, "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String(), nil
}
