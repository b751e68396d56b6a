package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/verify/record"
)

// writeCertificate writes a new certificate for 127.0.0.1 and returns it.
func writeCertificate(t *testing.T, dir string, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"key.pem": {Type: "PRIVATE KEY", Bytes: private}, "cert.pem": {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestTLS serves over TLS and HTTP/2: reads, and a batch that is streamed.
func TestTLS(t *testing.T) {
	dir, _ := started(t)
	certs := t.TempDir()
	pool := x509.NewCertPool()
	pool.AddCert(writeCertificate(t, certs, 1))
	url, stop := running(t, dir, "--tls-cert", filepath.Join(certs, "cert.pem"), "--tls-key", filepath.Join(certs, "key.pem"))
	defer func() {
		if err := stop(); err != nil {
			t.Errorf("serve: %v", err)
		}
	}()
	if !strings.HasPrefix(url, "https://") {
		t.Fatalf("served at %s", url)
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	defer c.CloseIdleConnections()
	body := string(enrolment(t, 0, record.SeenNothing)) + "\n{}\n"
	res, err := c.Post(url+"/v1/records:batch", "application/x-ndjson", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	text := string(b)
	if err != nil || res.StatusCode != 200 || res.ProtoMajor != 2 || strings.Count(text, "\n") != 2 || !strings.Contains(text, `"status":201`) {
		t.Errorf("%s %d %s, %v", res.Proto, res.StatusCode, text, err)
	}
	if plain, err := client.New(strings.Replace(url, "https", "http", 1)); err != nil {
		t.Fatal(err)
	} else if _, err := plain.Info(t.Context()); err == nil {
		t.Error("answered without TLS")
	}
}

// TestRenewedCertificate: a new one is taken without a restart, half of one is not.
func TestRenewedCertificate(t *testing.T) {
	dir := t.TempDir()
	first := writeCertificate(t, dir, 1)
	c := &certificate{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	want := func(what string, cert *x509.Certificate) {
		t.Helper()
		c.looked = time.Time{}
		got, err := c.get(nil)
		if err != nil || !got.Leaf.Equal(cert) {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	later := func(d time.Duration) {
		t.Helper()
		if err := os.Chtimes(c.cert, time.Now().Add(d), time.Now().Add(d)); err != nil {
			t.Fatal(err)
		}
	}
	want("the first", first)
	old, err := os.ReadFile(c.key)
	if err != nil {
		t.Fatal(err)
	}
	second := writeCertificate(t, dir, 2)
	renewed, err := os.ReadFile(c.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.key, old, 0o600); err != nil {
		t.Fatal(err)
	}
	later(time.Minute)
	want("the second with the key of the first", first)
	if err := os.WriteFile(c.key, renewed, 0o600); err != nil {
		t.Fatal(err)
	}
	want("the second", second)
	if err := os.Remove(c.cert); err != nil {
		t.Fatal(err)
	}
	want("none", second)
	if _, err := (&certificate{cert: c.cert, key: c.key}).get(nil); err == nil {
		t.Error("no certificate at the start, and no error")
	}
}
