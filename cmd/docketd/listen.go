package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/cmd/internal/cli"
)

// listeners are where a ledger is served. submit and admin may be "": main serves
// their part then.
type listeners struct {
	main, submit, admin string
	cert, key           string

	tls  *tls.Config
	nets []listener
}

// A listener serves some parts.
type listener struct {
	net.Listener
	parts api.Parts
	tls   *tls.Config
}

// A server is one with its listener.
type server struct {
	*http.Server
	at listener
}

// open listens on all addresses and reads the certificate.
func (l *listeners) open() error {
	if l.cert != "" {
		c := &certificate{cert: l.cert, key: l.key}
		if _, err := c.get(nil); err != nil {
			return cli.Unknown(err)
		}
		l.tls = &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12}
	}
	main := api.Everything
	if l.submit != "" {
		main &^= api.Writes
	}
	if l.admin != "" {
		main &^= api.Operations
	}
	for _, one := range []struct {
		flag, address string
		parts         api.Parts
		tls           *tls.Config
	}{
		{"listen", l.main, main, l.tls},
		{"submit-listen", l.submit, main | api.Writes, l.tls},
		{"admin-listen", l.admin, api.Operations, nil},
	} {
		if one.address == "" {
			continue
		}
		n, err := net.Listen("tcp", one.address)
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%s is taken by another program: stop that, or choose another address with --%s", one.address, one.flag)
		}
		if err != nil {
			l.close()
			return cli.Unknown(err)
		}
		l.nets = append(l.nets, listener{n, one.parts, one.tls})
	}
	return nil
}

// close closes those that are open; a second time it does nothing.
func (l *listeners) close() {
	for _, n := range l.nets {
		_ = n.Close() // a server that has ended has closed it
	}
	l.nets = nil
}

// announce says where what is served.
func (l *listeners) announce(w io.Writer, vkey string) {
	fmt.Fprintf(w, "docketd: %s on %s\n", vkey, l.nets[0].url())
	for _, n := range l.nets[1:] {
		what := "records and drafts"
		if n.parts == api.Operations {
			what = "health and metrics"
		}
		fmt.Fprintf(w, "docketd: %s at %s\n", what, n.url())
	}
}

func (n listener) url() string {
	if n.tls != nil {
		return "https://" + n.Addr().String()
	}
	return "http://" + n.Addr().String()
}

// servers returns a server for each.
func (l *listeners) servers(site *api.Site, log *slog.Logger) []server {
	var all []server
	for _, n := range l.nets {
		s := api.Server(site.Handler(n.parts), log)
		s.TLSConfig = n.tls.Clone()
		s.RegisterOnShutdown(site.Stop)
		all = append(all, server{s, n})
	}
	return all
}

// serve serves until the server is shut down.
func (s server) serve() error {
	if s.at.tls != nil {
		return s.ServeTLS(s.at, "", "")
	}
	return s.Serve(s.at)
}

// A certificate is read from its files, and again when the file of the
// certificate has changed. While the new one can't be read the old one stays.
type certificate struct {
	cert, key string

	mu     sync.Mutex
	pair   *tls.Certificate
	as     time.Time // when the file was changed
	looked time.Time
}

// lookAgain is how often the file is looked at, at most.
const lookAgain = 10 * time.Second

// get is for tls.Config.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && time.Since(c.looked) < lookAgain {
		return c.pair, nil
	}
	c.looked = time.Now()
	info, err := os.Stat(c.cert)
	if err == nil && c.pair != nil && info.ModTime().Equal(c.as) {
		return c.pair, nil
	}
	if err == nil {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(c.cert, c.key); err == nil {
			c.pair, c.as = &pair, info.ModTime()
		}
	}
	if c.pair != nil {
		return c.pair, nil
	}
	return nil, err
}
