package watch

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// minHookKey is how long the key of a webhook must be, in bytes.
const minHookKey = 32

// A Webhook is a sink that posts the event to a URL. The header field
// Docket-Signature is "t=<seconds since 1970>,v1=<hex>": HMAC-SHA-256, under the
// key, of the same number, a full stop and the body. It has arrived if the answer
// is 2xx. Redirects are not followed and no proxy is used.
type Webhook struct {
	url  string
	key  []byte
	http *http.Client
}

// NewWebhook returns a sink for a URL. Unless private is true it connects to public
// addresses only, whatever the name resolves to.
func NewWebhook(where string, key []byte, private bool) (*Webhook, error) {
	u, err := url.Parse(where)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("the webhook is not a URL like https://alarms.example.org/docket")
	}
	if len(key) < minHookKey {
		return nil, fmt.Errorf("the key of the webhook has %d bytes, want %d or more: openssl rand -hex 32 makes one", len(key), minHookKey)
	}
	dialer := &net.Dialer{Timeout: 20 * time.Second}
	if !private {
		dialer.Control = onlyPublic
	}
	return &Webhook{url: u.String(), key: key, http: &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 20 * time.Second, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// ReadHookKey reads the key of a webhook: the file without the line end. Only its
// owner may be able to read it.
func ReadHookKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o, others may read it: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	b, err := os.ReadFile(path)
	return bytes.TrimRight(b, "\r\n"), err
}

// Name implements Sink.
func (h *Webhook) Name() string { return "webhook" }

// Deliver implements Sink.
func (h *Webhook) Deliver(ctx context.Context, e *Event, line []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(line))
	if err != nil {
		return err
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "docket-verify")
	req.Header.Set("Docket-Event", e.ID)
	req.Header.Set("Docket-Signature", "t="+at+",v1="+h.sign(at, line))
	res, err := h.http.Do(req)
	if err != nil {
		return err
	}
	_, drainErr := io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16))
	if err := errors.Join(drainErr, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook answered %s", res.Status)
	}
	return nil
}

func (h *Webhook) sign(at string, body []byte) string {
	mac := hmac.New(sha256.New, h.key)
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// errPrivate says that a name resolves to an address that is not public.
var errPrivate = errors.New("not a public address, and --webhook-private is not given")

// onlyPublic is a net.Dialer.Control: it is asked about the address that is about
// to be connected to, after the name was resolved.
func onlyPublic(network, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !strings.HasPrefix(network, "tcp") || !public(ip) {
		return fmt.Errorf("%s: %w", host, errPrivate)
	}
	return nil
}

// special are the ranges that are not of the public internet, besides those that
// package netip knows (IANA special-purpose address registries), and those that
// embed an IPv4 address, which may be private.
var special = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10")

func prefixes(all ...string) (out []netip.Prefix) {
	for _, s := range all {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// public reports whether an address is one of the public internet.
func public(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}
