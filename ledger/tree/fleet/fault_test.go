//go:build fleet

package fleet_test

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger/tree/fleet"
	"github.com/docket-ledger/docket/ledger/tree/fleet/fleettest"
)

// load appends to a tree from several logs until stop is called.
type load struct {
	acks    acknowledged
	mu      sync.Mutex
	last    time.Time // when a batch was last acknowledged
	longest time.Duration
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

func startLoad(t *testing.T, logs ...*fleet.Log) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{last: time.Now(), cancel: cancel}
	for w, log := range logs {
		l.wg.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				batch := batchOf(1+k%3, "writer %d, batch %d", w, k)
				at, _, err := push(ctx, log, batch)
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					t.Errorf("writer %d, batch %d: %v", w, k, err)
					return
				}
				l.acks.add(at, batch)
				l.mu.Lock()
				l.longest = max(l.longest, time.Since(l.last))
				l.last = time.Now()
				l.mu.Unlock()
			}
		})
	}
	return l
}

// settle waits until another batch is acknowledged, and returns the longest time
// in which none was since the last call.
func (l *load) settle(t *testing.T, from time.Time) time.Duration {
	t.Helper()
	for time.Since(from) < 2*time.Minute {
		l.mu.Lock()
		last, longest := l.last, l.longest
		if last.After(from) {
			l.longest = 0
			l.mu.Unlock()
			return longest
		}
		l.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nothing was acknowledged for two minutes")
	return 0
}

func (l *load) stop() {
	l.cancel()
	l.wg.Wait()
}

// TestFleetFaults kills, stops and cuts off each part while two nodes append.
// Everything goes on without a hand, nothing that was acknowledged is lost, and
// one who follows all of it anew finds the same.
func TestFleetFaults(t *testing.T) {
	f, err := fleettest.Start(fleettest.Options{Servers: 2, Signers: 2, Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			f.Logs(t.Output())
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	servers := fleet.Servers{Addresses: f.Addresses}
	id, _, err := fleet.Init(t.Context(), servers, "faults")
	if err != nil {
		t.Fatal(err)
	}
	use := func(cfg *fleet.Config) { cfg.Servers, cfg.Turn = servers, 3*time.Second }
	logs := []*fleet.Log{open(t, id, t.TempDir(), use), open(t, id, t.TempDir(), use)}
	load := startLoad(t, logs...)
	load.settle(t, time.Now())

	again := func(part string, signal syscall.Signal) func() error {
		return func() error {
			if err := f.StopPart(part, signal); err != nil {
				return err
			}
			return f.StartPart(part)
		}
	}
	halt := func(part string, d time.Duration) func() error {
		return func() error {
			if err := f.SignalPart(part, syscall.SIGSTOP); err != nil {
				return err
			}
			time.Sleep(d)
			return f.SignalPart(part, syscall.SIGCONT)
		}
	}
	master := func(signal syscall.Signal, release bool) func() error {
		return func() error {
			name, pid, err := f.Master(id)
			if err != nil || name == "" {
				return fmt.Errorf("no master: %w", err)
			}
			if err := f.StopPart(name, signal); err != nil {
				return err
			}
			if release {
				if n, err := f.Release(pid); err != nil || n == 0 {
					return fmt.Errorf("%d elections released: %w", n, err)
				}
			}
			return f.StartPart(name)
		}
	}
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"no fault", func() error { time.Sleep(time.Second); return nil }},
		{"kill -9 of a server", again("server1", syscall.SIGKILL)},
		{"SIGTERM of a server", again("server2", syscall.SIGTERM)},
		{"kill -9 of PostgreSQL", again("postgres", syscall.SIGKILL)},
		{"SIGINT of PostgreSQL", again("postgres", syscall.SIGINT)},
		{"PostgreSQL halts for 3 s", halt("postgres", 3*time.Second)},
		{"server 1 halts for 6 s", halt("server1", 6*time.Second)},
		{"server 2 halts for 6 s", halt("server2", 6*time.Second)},
		{"kill -9 of etcd", again("etcd", syscall.SIGKILL)},
		{"SIGTERM of the master signer", master(syscall.SIGTERM, false)},
		{"kill -9 of the master signer, released", master(syscall.SIGKILL, true)},
	} {
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		from := time.Now()
		stall := load.settle(t, from)
		time.Sleep(500 * time.Millisecond)
		t.Logf("%-40s longest time without an acknowledgement %6d ms", c.name, max(stall, load.settle(t, time.Now())).Milliseconds())
		if t.Failed() {
			break
		}
	}
	load.stop()
	fresh := open(t, id, t.TempDir(), use)
	head, got := follow(t, logs[0]), follow(t, fresh)
	for head.Size != got.Size { // what was being written at the end came in late
		head, got = follow(t, logs[0]), follow(t, fresh)
	}
	if got != head {
		t.Errorf("followed anew: %v, want %v", got, head)
	}
	load.acks.check(t, fresh)
	t.Logf("%d batches were acknowledged, %d records are in the log", len(load.acks.batches), head.Size)
}
