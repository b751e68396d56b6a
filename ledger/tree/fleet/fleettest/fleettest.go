//go:build fleet

// Package fleettest runs a real fleet on loopback: Debian's PostgreSQL and etcd,
// and Trillian's log servers and signers, built from the module that go.mod
// names. It fails, and says what to install, where something is not there.
package fleettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options are what a fleet is made of.
type Options struct {
	Servers int // log servers, at least one
	Signers int // log signers, at least one; with more than one, etcd elects
	// Sync has PostgreSQL write to the disk before it answers, as it must
	// where a power failure counts.
	Sync bool
	// Data is an empty folder for the database, "" for one of the fleet's own.
	Data string
	// Via, if set, returns the address at which the log servers and signers find the
	// database that listens at another.
	Via func(address string) string
	// TLSCert and TLSKey are files that the log servers use, if set.
	TLSCert, TLSKey string
}

// A Fleet runs until Close. Its parts are named "postgres", "etcd", "server1",
// "signer1" and so on.
type Fleet struct {
	// Addresses are those of the log servers.
	Addresses []string
	// Database is the URI of the database, Etcd the address of etcd, "" if there
	// is one signer.
	Database, Etcd string

	dir   string
	opts  Options
	tools tools

	mu    sync.Mutex
	parts map[string]*part
}

// part is a process that can be started again.
type part struct {
	args  []string
	user  *syscall.Credential
	ready func() error // nil once it can be used
	log   string       // what it wrote
	cmd   *exec.Cmd    // nil if it does not run
	done  chan struct{}
}

// tools are the programs.
type tools struct{ postgres, initdb, psql, etcd, server, signer, schema string }

// find finds the programs, and builds those of Trillian once in a process.
var find = sync.OnceValues(func() (tools, error) {
	var t tools
	bin, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(bin) == 0 {
		return t, errors.New("no PostgreSQL: apt-get install postgresql")
	}
	slices.Sort(bin)
	newest := bin[len(bin)-1]
	t.postgres, t.initdb, t.psql = newest+"/postgres", newest+"/initdb", newest+"/psql"
	if t.etcd, err = exec.LookPath("etcd"); err != nil {
		return t, errors.New("no etcd: apt-get install etcd-server")
	}
	out, err := output("go", "list", "-m", "-f", "{{.Version}} {{.Dir}}", "github.com/google/trillian")
	if err != nil {
		return t, err
	}
	version, dir, ok := strings.Cut(strings.TrimSpace(out), " ")
	if !ok {
		return t, fmt.Errorf("no version and folder of Trillian: %q", out)
	}
	t.schema = filepath.Join(dir, "storage/postgresql/schema/storage.sql")
	cache, err := os.UserCacheDir()
	if err != nil {
		return t, err
	}
	programs := filepath.Join(cache, "docket-fleet", version)
	t.server, t.signer = filepath.Join(programs, "trillian_log_server"), filepath.Join(programs, "trillian_log_signer")
	if err := os.MkdirAll(programs, 0o755); err != nil {
		return t, err
	}
	const cmd = "github.com/google/trillian/cmd/"
	install := exec.Command("go", "install", "-tags", "postgresql,etcd", "-trimpath", cmd+"trillian_log_server@"+version, cmd+"trillian_log_signer@"+version)
	install.Env = append(os.Environ(), "GOBIN="+programs, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		return t, fmt.Errorf("build Trillian: %w\n%s", err, out)
	}
	return t, nil
})

// output runs a program and returns what it printed.
func output(name string, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out), nil
}

// Start starts a fleet, which can be used at once.
func Start(opts Options) (*Fleet, error) {
	t, err := find()
	if err != nil {
		return nil, err
	}
	f := &Fleet{opts: opts, tools: t, parts: map[string]*part{}}
	if f.dir, err = os.MkdirTemp("", "docket-fleet"); err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chmod(f.dir, 0o755), f.start()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// start makes the database and starts all parts.
func (f *Fleet) start() error {
	if err := f.makeDatabase(); err != nil {
		return err
	}
	signer := []string{f.tools.signer}
	if f.opts.Signers > 1 {
		client, peer := freePort(), freePort()
		f.Etcd = client
		f.parts["etcd"] = &part{
			args: []string{f.tools.etcd, "--data-dir", filepath.Join(f.dir, "etcd"), "--name", "f1",
				"--listen-client-urls", "http://" + client, "--advertise-client-urls", "http://" + client,
				"--listen-peer-urls", "http://" + peer, "--initial-advertise-peer-urls", "http://" + peer,
				"--initial-cluster", "f1=http://" + peer},
			ready: func() error { return answers(client) },
		}
		if err := f.StartPart("etcd"); err != nil {
			return err
		}
		signer = append(signer, "--election_system=etcd", "--etcd_servers=http://"+client, "--lock_file_path="+lockFile,
			"--pre_election_pause=100ms")
	} else {
		signer = append(signer, "--force_master")
	}
	common := []string{"--storage_system=postgresql", "--quota_system=noop", "--postgresql_uri=" + f.Database, "--logtostderr"}
	for i := range f.opts.Servers {
		rpc, http := freePort(), freePort()
		f.Addresses = append(f.Addresses, rpc)
		args := append([]string{f.tools.server, "--rpc_endpoint=" + rpc, "--http_endpoint=" + http, "--tree_gc=false"}, common...)
		if f.opts.TLSCert != "" {
			args = append(args, "--tls_cert_file="+f.opts.TLSCert, "--tls_key_file="+f.opts.TLSKey)
		}
		f.parts[fmt.Sprintf("server%d", i+1)] = &part{args: args, ready: func() error { return answers(rpc) }}
	}
	for i := range f.opts.Signers {
		http := freePort()
		args := append(append(slices.Clone(signer), "--rpc_endpoint="+freePort(), "--http_endpoint="+http,
			"--sequencer_interval=20ms", "--batch_size=2000"), common...)
		f.parts[fmt.Sprintf("signer%d", i+1)] = &part{args: args, ready: func() error { return answers(http) }}
	}
	for name := range f.parts {
		if name != "postgres" && name != "etcd" {
			if err := f.StartPart(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeDatabase makes a database with Trillian's schema, and starts PostgreSQL,
// which refuses to run as root.
func (f *Fleet) makeDatabase() error {
	data := filepath.Join(f.dir, "postgres")
	if f.opts.Data != "" {
		data = filepath.Join(f.opts.Data, "postgres")
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	var as *syscall.Credential
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return fmt.Errorf("no user for PostgreSQL: %w", err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(data, uid, gid); err != nil {
			return err
		}
		as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	initdb := exec.Command(f.tools.initdb, "-D", data, "-A", "trust", "-U", "trillian", "-E", "UTF8", "--no-sync")
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	initdb.Dir = "/"
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	address := freePort()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	sync := map[bool]string{true: "on", false: "off"}[f.opts.Sync]
	psql := func(database string, args ...string) error {
		_, err := output(f.tools.psql, append([]string{"-X", "-q", "-h", host, "-p", port, "-U", "trillian", "-d", database, "-v", "ON_ERROR_STOP=1"}, args...)...)
		return err
	}
	f.parts["postgres"] = &part{
		args: []string{f.tools.postgres, "-D", data, "-p", port, "-c", "listen_addresses=" + host, "-c", "unix_socket_directories=",
			"-c", "fsync=" + sync, "-c", "idle_in_transaction_session_timeout=10s"},
		user:  as,
		ready: func() error { return psql("postgres", "-c", "select 1") },
	}
	f.Database = databaseURI(address)
	if f.opts.Via != nil {
		f.Database = databaseURI(f.opts.Via(address))
	}
	if err := f.StartPart("postgres"); err != nil {
		return err
	}
	return errors.Join(psql("postgres", "-c", "create database trillian"), psql("trillian", "-f", f.tools.schema))
}

func databaseURI(address string) string {
	host, port, _ := net.SplitHostPort(address) // which net has made
	return fmt.Sprintf("postgresql:///trillian?host=%s&port=%s&user=trillian", host, port)
}

// freePort returns a loopback address on which nobody listens.
func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// answers reports whether something listens.
func answers(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// StartPart starts a part that does not run, and returns when it can be used. One
// that ends at once is started again for a while: PostgreSQL waits for the
// processes of one that was killed.
func (f *Fleet) StartPart(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.parts[name]
	if p == nil || p.cmd != nil {
		return fmt.Errorf("there is no %s, or it runs", name)
	}
	p.log = filepath.Join(f.dir, name+".log")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if p.cmd == nil {
			if err := p.start(); err != nil {
				return err
			}
		}
		err := p.ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			p.cmd = nil
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer: %w\n%s", name, err, tail(p.log))
		}
	}
}

// start starts the process.
func (p *part) start() error {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: p.user}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.done = cmd, make(chan struct{})
	go func() {
		defer close(p.done)
		cmd.Wait() // how it ended is in its log
	}()
	return nil
}

// StopPart sends a signal to a part, and returns when it has ended.
// syscall.SIGKILL goes to all its processes.
func (f *Fleet) StopPart(name string, signal syscall.Signal) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.parts[name]
	if p == nil || p.cmd == nil {
		return fmt.Errorf("there is no %s that runs", name)
	}
	pid := p.cmd.Process.Pid
	if signal == syscall.SIGKILL {
		pid = -pid
	}
	if err := syscall.Kill(pid, signal); err != nil {
		return err
	}
	select {
	case <-p.done:
		p.cmd = nil
		return nil
	case <-time.After(30 * time.Second):
		return fmt.Errorf("%s does not end", name)
	}
}

// SignalPart sends a signal to a part and all that it started, for
// syscall.SIGSTOP and syscall.SIGCONT.
func (f *Fleet) SignalPart(name string, signal syscall.Signal) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.parts[name]
	if p == nil || p.cmd == nil {
		return fmt.Errorf("there is no %s that runs", name)
	}
	pid := p.cmd.Process.Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, signal); err != nil {
		return err
	}
	for _, word := range strings.Fields(string(children)) {
		if child, err := strconv.Atoi(word); err == nil {
			syscall.Kill(child, signal) // it may have ended
		}
	}
	return nil
}

// SQL runs a statement in the database and returns what it printed.
func (f *Fleet) SQL(ctx context.Context, statement string) (string, error) {
	cmd := exec.CommandContext(ctx, f.tools.psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", f.Database, "-c", statement)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w\n%s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// Logs writes the end of what each part said.
func (f *Fleet) Logs(w io.Writer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, p := range f.parts {
		fmt.Fprintf(w, "== %s\n%s\n", name, tail(p.log))
	}
}

// tail returns the end of a file.
func tail(name string) []byte {
	b, err := os.ReadFile(name)
	if err != nil {
		return []byte(err.Error())
	}
	return b[max(0, len(b)-4000):]
}

// Close kills all parts and removes what they wrote.
func (f *Fleet) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.parts {
		if p.cmd != nil {
			syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
			<-p.done
			p.cmd = nil
		}
	}
	return os.RemoveAll(f.dir)
}
