//go:build fleet

package fleet_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/fleet"
	"github.com/docket-ledger/docket/ledger/tree/fleet/fleettest"
)

// deaf forwards connections to a server. While it is armed, a connection that has
// carried a certain text to the server carries no more answers, and is cut
// shortly after.
type deaf struct {
	net.Listener
	armed atomic.Int64 // how many more connections
	text  []byte
	to    string
}

func (d *deaf) serve() {
	for {
		in, err := d.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", d.to)
		if err != nil {
			in.Close()
			continue
		}
		var cut atomic.Bool
		go func() {
			defer in.Close()
			for buf := make([]byte, 64<<10); ; {
				n, err := out.Read(buf)
				if err != nil || cut.Load() {
					return
				}
				in.Write(buf[:n])
			}
		}()
		go func() {
			defer out.Close()
			for buf := make([]byte, 64<<10); ; {
				n, err := in.Read(buf)
				if err != nil {
					return
				}
				if bytes.Contains(buf[:n], d.text) && d.armed.Add(-1) >= 0 {
					cut.Store(true)
					time.AfterFunc(150*time.Millisecond, func() { in.Close() })
				}
				out.Write(buf[:n])
			}
		}()
	}
}

// TestFleetLostAnswer loses the answers to writes that were done. Each batch is in
// the log once, where Append says.
func TestFleetLostAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := &deaf{Listener: l, to: running.Addresses[0], text: []byte("lost answer")}
	t.Cleanup(func() { l.Close() })
	go proxy.serve()
	log := open(t, newTree(t), t.TempDir(), func(cfg *fleet.Config) { cfg.Servers.Addresses = []string{l.Addr().String()} })
	var acks acknowledged
	for k, c := range []struct{ leaves, lost int }{{1, 1}, {1, 3}, {4, 1}, {4, 2}, {4, 5}, {1, 0}} {
		proxy.armed.Store(int64(c.lost))
		batch := batchOf(c.leaves, "lost answer %d", k)
		at, err := log.Append(t.Context(), batch)
		if err != nil {
			t.Fatalf("%d leaves, %d answers lost: %v", c.leaves, c.lost, err)
		}
		if left := proxy.armed.Load(); left > 0 {
			t.Errorf("%d leaves: %d answers were not lost", c.leaves, left)
		}
		acks.add(at[0], batch)
	}
	acks.check(t, log)
	if head := follow(t, log); head.Size != 15 {
		t.Errorf("the size is %d, want 15", head.Size)
	}
}

// TestFleetTLS speaks to a server by its certificate, and to none that can't show
// one.
func TestFleetTLS(t *testing.T) {
	cert, key, roots := certificate(t)
	f, err := fleettest.Start(fleettest.Options{Servers: 1, Signers: 1, TLSCert: cert, TLSKey: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	with := fleet.Servers{Addresses: f.Addresses, TLS: &tls.Config{RootCAs: roots}}
	id, _, err := fleet.Init(t.Context(), with, "tls")
	if err != nil {
		t.Fatal(err)
	}
	log := open(t, id, t.TempDir(), func(cfg *fleet.Config) { cfg.Servers = with })
	if _, err := log.Append(t.Context(), batchOf(3, "over TLS")); err != nil {
		t.Error(err)
	}
	for name, servers := range map[string]fleet.Servers{
		"no trust":   {Addresses: f.Addresses, TLS: &tls.Config{RootCAs: x509.NewCertPool()}},
		"other name": {Addresses: f.Addresses, TLS: &tls.Config{RootCAs: roots, ServerName: "other.example"}},
		"plaintext":  {Addresses: f.Addresses},
		"no TLS":     {Addresses: running.Addresses, TLS: &tls.Config{RootCAs: roots}},
	} {
		log := open(t, id, t.TempDir(), func(cfg *fleet.Config) { cfg.Servers, cfg.Timeout = servers, time.Second })
		if _, err := log.Append(t.Context(), batchOf(1, "no")); !errors.Is(err, tree.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// certificate writes a certificate of this machine, and its key.
func certificate(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile, roots = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots.AppendCertsFromPEM(public)
	for name, b := range map[string][]byte{certFile: public, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile, roots
}
