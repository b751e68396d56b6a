package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
)

// A running docketd answers on a socket in its data directory, which only its
// owner can open: a few lines of HTTP.
//
//	GET  /status              the status, as JSON
//	POST /backup              {"to":"/absolute/path"}: copies the ledger into a folder
//	                          that is not there. 204 when all of it is on the disk
//
// Whoever starts docketd beside it on the same directory finds it there.

const controlName = "control"

// maxSocketPath is what a socket's name may have on every system, in bytes.
const maxSocketPath = 100

// A control is the open socket.
type control struct {
	server *http.Server
	path   string
	held   io.Closer // what path leads through
}

// socketPath returns a name for the socket in dir that is short enough. held is
// open as long as the name is used.
func socketPath(dir string) (path string, held io.Closer, err error) {
	path = filepath.Join(dir, controlName)
	if len(path) <= maxSocketPath {
		return path, io.NopCloser(nil), nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, fmt.Errorf("%s is too long a path for a socket: %d bytes, at most %d. Use a shorter one, or start docketd in that directory, with --data . there",
			path, len(path), maxSocketPath)
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), controlName), d, nil
}

// openControl listens on the socket of a data directory that this process has
// locked. A socket that is there is one of a process that was killed.
func openControl(dir string, h http.Handler) (*control, error) {
	path, held, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	l, err := listenControl(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the socket %s: %w", filepath.Join(dir, controlName), err), held.Close())
	}
	c := &control{path: path, held: held, server: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}}
	go func() { _ = c.server.Serve(l) }() // ends with close
	return c, nil
}

func listenControl(path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.Mode()&fs.ModeSocket == 0:
		return nil, errors.New("a file is in its place: move it away")
	case err == nil:
		err = os.Remove(path)
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return nil, err
	}
	before := syscall.Umask(0o177) // there is no moment at which others may connect
	defer syscall.Umask(before)
	return net.Listen("unix", path)
}

// close ends what runs on the socket, which is removed.
func (c *control) close() error { return errors.Join(c.server.Close(), c.held.Close()) }

// An operator answers on the socket.
type operator struct {
	dir    *datadir.Dir
	since  time.Time
	backup sync.Mutex // held while one runs
}

func (o *operator) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		s, err := o.status(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.MarshalWrite(w, s) // who asked is gone
	})
	mux.HandleFunc("POST /backup", func(w http.ResponseWriter, r *http.Request) {
		code, err := o.copy(r)
		if err != nil {
			http.Error(w, err.Error(), code)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// backupRequest is the body of POST /backup.
type backupRequest struct {
	To string `json:"to"`
}

func (o *operator) copy(r *http.Request) (code int, err error) {
	var req backupRequest
	if err := json.UnmarshalRead(io.LimitReader(r.Body, 1<<16), &req); err != nil || !filepath.IsAbs(req.To) {
		return http.StatusBadRequest, errors.New("want {\"to\":\"/absolute/path\"}")
	}
	if !o.backup.TryLock() {
		return http.StatusConflict, errors.New("another backup is being made: wait until it has ended")
	}
	defer o.backup.Unlock()
	if err := o.dir.Backup(r.Context(), req.To); err != nil {
		return http.StatusInternalServerError, errors.Join(err, ignoreMissing(os.RemoveAll(req.To)))
	}
	return 0, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// errNotRunning is returned by ask if no docketd answers for the directory.
var errNotRunning = errors.New("no docketd answers for this directory")

// ask sends a request to the docketd that serves a directory.
func ask(ctx context.Context, data, method, what string, body []byte) ([]byte, error) {
	path, held, err := socketPath(data)
	if err != nil {
		return nil, err
	}
	defer held.Close()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENOTSOCK):
		return nil, errNotRunning
	case err != nil:
		return nil, cli.Unknown(fmt.Errorf("the socket %s: %w", filepath.Join(data, controlName), err))
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	req, err := http.NewRequestWithContext(ctx, method, "http://docketd"+what, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if err := req.Write(conn); err != nil {
		return nil, cli.Unknown(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return nil, cli.Unknown(fmt.Errorf("docketd ended, or broke off: %w", errors.Join(err, ctx.Err())))
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	switch {
	case err != nil:
		return nil, cli.Unknown(err)
	case res.StatusCode >= 300:
		return nil, cli.Unknown(fmt.Errorf("docketd says: %s", bytes.TrimSpace(b)))
	}
	return b, nil
}
