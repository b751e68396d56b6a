//go:build fleet

package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/ledger/tree/fleet/fleettest"
)

// A fault begins, and ends some seconds later.
type fault struct {
	name       string
	begin, end func() error
}

// faulty is a cluster of two nodes under load.
type faulty struct {
	*cluster
	procs   [2]*process
	clients [2]*client.Client
	n       int
	table   strings.Builder
}

func newFaulty(t *testing.T, opt fleettest.Options, more ...string) *faulty {
	t.Helper()
	f := &faulty{cluster: newCluster(t, 2, opt)}
	f.args = append(f.args, more...)
	for i := range f.procs {
		f.procs[i], f.clients[i] = f.node(i)
	}
	return f
}

// suffers submits through both nodes while a fault lasts, and a while longer, and notes the
// longest time that a record took.
func (f *faulty) suffers(of fault) {
	f.t.Helper()
	must(f.t, of.begin())
	over := make(chan error, 1)
	time.AfterFunc(3*time.Second, func() { over <- of.end() })
	var mu sync.Mutex
	var worst time.Duration
	var wg sync.WaitGroup
	ended := make(chan struct{})
	for i := range 4 {
		n := f.n + 100_000*i
		wg.Go(func() {
			for after := 10; after > 0; {
				n++
				_, took := f.submit(f.clients[(i+n)%2], n)
				mu.Lock()
				worst = max(worst, took)
				mu.Unlock()
				select {
				case <-ended:
					after--
				default:
				}
			}
		})
	}
	must(f.t, <-over)
	close(ended)
	wg.Wait()
	f.n += 1000
	fmt.Fprintf(&f.table, "| %s | %.1f s |\n", of.name, worst.Seconds())
}

// holds checks that nothing that was acknowledged is lost, and that there is one history.
func (f *faulty) holds() {
	f.t.Helper()
	sizes := [2]int64{}
	for i, k := range f.clients {
		sizes[i] = f.audit(k)
		f.mu.Lock()
		for id, at := range f.acked {
			k.Seen(at + 1)
			if r, err := k.Record(f.t.Context(), id); err != nil || r.Index != at {
				f.t.Errorf("node %d: %s is at %d, acknowledged at %d: %v", i, id, r.Index, at, err)
			}
		}
		f.mu.Unlock()
	}
	if min(sizes[0], sizes[1]) < int64(len(f.acked)) {
		f.t.Errorf("%v records, %d acknowledged", sizes, len(f.acked))
	}
	fmt.Print(f.table.String())
}

// kill is the end of a part by a signal, which is started again.
func (f *faulty) kill(name, part string, signal syscall.Signal) fault {
	return fault{name, func() error { return f.StopPart(part, signal) }, func() error { return f.StartPart(part) }}
}

// master is the end of the signer that is in charge. With release its key in etcd is
// deleted, as its supervisor does.
func (f *faulty) master(signal syscall.Signal, release bool) fault {
	name := ""
	how := map[bool]string{true: ", its key in etcd deleted", false: ""}[release]
	return fault{fmt.Sprintf("master signer, %v%s", signal, how), func() error {
		part, pid, err := f.Master(f.tree)
		if err != nil || part == "" {
			return fmt.Errorf("no master: %w", err)
		}
		name = part
		if err := f.StopPart(part, signal); err != nil || !release {
			return err
		}
		_, err = f.Release(pid)
		return err
	}, func() error { return f.StartPart(name) }}
}

// docketd is the end of a node.
func (f *faulty) docketd(i int, signal syscall.Signal) fault {
	return fault{fmt.Sprintf("docketd, %v", signal), func() error {
		if err := f.procs[i].cmd.Process.Signal(signal); err != nil {
			return err
		}
		<-f.procs[i].ended
		other := f.clients[1-i]
		f.clients = [2]*client.Client{other, other} // a load balancer asks those that answer
		return nil
	}, func() error {
		f.procs[i], f.clients[i] = f.node(i)
		return nil
	}}
}

// TestFleetFaults kills one of each part under load. Nothing that was acknowledged is lost,
// no second history begins, and it goes on by itself. The longest waits are printed.
func TestFleetFaults(t *testing.T) {
	f := newFaulty(t, fleettest.Options{Servers: 2, Signers: 2})
	for _, of := range []fault{f.kill("log server, SIGKILL", "server1", syscall.SIGKILL), f.kill("PostgreSQL, SIGKILL", "postgres", syscall.SIGKILL),
		f.kill("etcd, SIGKILL", "etcd", syscall.SIGKILL), f.master(syscall.SIGKILL, true), f.docketd(0, syscall.SIGKILL)} {
		f.suffers(of)
	}
	f.holds()
}

// A cable is a TCP connection's way that can be cut.
type cable struct {
	net.Listener
	to    string
	state atomic.Int32 // of the states below
	delay atomic.Int64 // of each piece, in nanoseconds
	mu    sync.Mutex
	open  map[net.Conn]bool
}

const (
	whole   = iota
	silent  // nothing gets through, and nothing says so
	severed // connections end, and are refused
)

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	c := &cable{Listener: l, to: to, open: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); c.set(severed) })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			go c.connect(from)
		}
	}()
	return c
}

func (c *cable) connect(from net.Conn) {
	to, err := net.Dial("tcp", c.to)
	if err != nil || c.state.Load() == severed {
		from.Close()
		if err == nil {
			to.Close()
		}
		return
	}
	c.mu.Lock()
	c.open[from], c.open[to] = true, true
	c.mu.Unlock()
	go c.copy(from, to)
	c.copy(to, from)
}

func (c *cable) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		for c.state.Load() == silent {
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(time.Duration(c.delay.Load()))
		if _, e := to.Write(b[:n]); err != nil || e != nil {
			if err == io.EOF || e != nil || err != nil {
				return
			}
		}
	}
}

// set changes the state.
func (c *cable) set(state int32) {
	c.state.Store(state)
	c.mu.Lock()
	defer c.mu.Unlock()
	if state == severed {
		for conn := range c.open {
			conn.Close()
		}
		clear(c.open)
	}
}

// cut is a fault of several cables.
func cut(name string, state int32, cables ...*cable) fault {
	all := func(state int32) func() error {
		return func() error {
			for _, c := range cables {
				c.set(state)
			}
			return nil
		}
	}
	return fault{name, all(state), all(whole)}
}
