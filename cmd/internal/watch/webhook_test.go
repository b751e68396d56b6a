package watch

import (
	"net/netip"
	"strings"
	"testing"
)

// TestPublic: a webhook reaches the public internet only, however an address is
// spelled.
func TestPublic(t *testing.T) {
	for _, ip := range strings.Fields(`127.0.0.1 127.8.9.1 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0
		0.1.2.3 255.255.255.255 224.0.0.1 240.0.0.1 192.0.0.8 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.9 :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1
		::127.0.0.1 fe80::1 fe80::1%eth0 fc00::1 fd00::1 fec0::1 ff02::1 64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: 2001::1 2001:db8::1 100::1`) {
		if public(netip.MustParseAddr(ip)) {
			t.Errorf("%s is taken for public", ip)
		}
		if err := onlyPublic("tcp4", netip.AddrPortFrom(netip.MustParseAddr(ip), 443).String(), nil); err == nil {
			t.Errorf("%s may be connected to", ip)
		}
	}
	for _, ip := range strings.Fields("1.1.1.1 8.8.8.8 172.32.0.1 100.128.0.1 192.0.1.1 2606:4700:4700::1111 2a00:1450::1 ::ffff:8.8.8.8") {
		if !public(netip.MustParseAddr(ip)) {
			t.Errorf("%s is not taken for public", ip)
		}
	}
	for _, bad := range []string{"127.0.0.1", "localhost:80", "example.org:443", ""} {
		if onlyPublic("tcp", bad, nil) == nil {
			t.Errorf("%q may be connected to", bad)
		}
	}
}

// TestNewWebhook refuses what is no URL, and keys that can be guessed.
func TestNewWebhook(t *testing.T) {
	key := []byte(strings.Repeat("k", minHookKey))
	for _, bad := range []string{"", "alarms.example.org", "ftp://example.org/", "https:///x", "https://u:p@example.org/", "https://example.org/#x", "http://[::1"} {
		if _, err := NewWebhook(bad, key, false); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := NewWebhook("https://example.org/", key[1:], false); err == nil {
		t.Error("a short key is taken")
	}
	if _, err := NewWebhook("https://example.org/hook?a=b", key, false); err != nil {
		t.Error(err)
	}
}
