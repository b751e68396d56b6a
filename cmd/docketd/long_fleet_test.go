//go:build fleet && long

package main

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger/tree/fleet/fleettest"
)

// TestLongFleetFaults is the whole table of docs/notes/fleet.md.
func TestLongFleetFaults(t *testing.T) {
	disk, err := os.MkdirTemp("", "docket-disk-") // which PostgreSQL's own user can reach
	must(t, err)
	must(t, exec.Command("mount", "-t", "tmpfs", "-o", "size=400m,mode=755", "tmpfs", disk).Run())
	t.Cleanup(func() { must(t, errors.Join(exec.Command("umount", "-l", disk).Run(), os.Remove(disk))) })
	var database *cable
	f := newFaulty(t, fleettest.Options{Servers: 2, Signers: 2, Data: disk, Via: func(address string) string {
		database = newCable(t, address)
		return database.Addr().String()
	}})
	var wires []*cable
	addresses := ""
	for _, a := range f.Addresses {
		wires = append(wires, newCable(t, a))
		addresses += "," + wires[len(wires)-1].Addr().String()
	}
	f.args[1] = addresses[1:]
	for i, p := range f.procs {
		p.kill(t)
		f.procs[i], f.clients[i] = f.node(i)
	}
	filler := filepath.Join(disk, "filler")
	slow := fault{"the database answers 100 ms late", func() error { database.delay.Store(int64(100 * time.Millisecond)); return nil }, func() error { database.delay.Store(0); return nil }}
	full := fault{"the disk of the database is full", func() error {
		out, err := os.Create(filler)
		if err != nil {
			return err
		}
		defer out.Close()
		b := make([]byte, 1<<20)
		for {
			_, _ = rand.Read(b)
			if _, err := out.Write(b); err != nil {
				return nil // it is full
			}
		}
	}, func() error {
		if err := os.Remove(filler); err != nil {
			return err
		}
		_ = f.StopPart("postgres", syscall.SIGQUIT) // it may have ended by itself: its supervisor starts it again
		return f.StartPart("postgres")
	}}
	for _, of := range []fault{
		f.kill("log server, SIGTERM", "server1", syscall.SIGTERM), f.kill("log server, SIGKILL", "server2", syscall.SIGKILL),
		f.kill("PostgreSQL, fast shutdown", "postgres", syscall.SIGINT), f.kill("PostgreSQL, SIGKILL", "postgres", syscall.SIGKILL),
		f.kill("etcd, SIGTERM", "etcd", syscall.SIGTERM), f.kill("etcd, SIGKILL", "etcd", syscall.SIGKILL),
		f.master(syscall.SIGTERM, false), f.master(syscall.SIGKILL, true), f.master(syscall.SIGKILL, false),
		f.docketd(0, syscall.SIGTERM), f.docketd(1, syscall.SIGKILL),
		cut("one log server unreachable, connections end", severed, wires[0]), cut("one log server unreachable, in silence", silent, wires[1]),
		cut("all log servers unreachable, connections end", severed, wires...), cut("all log servers unreachable, in silence", silent, wires...),
		cut("database unreachable, connections end", severed, database), cut("database unreachable, in silence", silent, database),
		slow, full,
	} {
		f.suffers(of)
	}
	f.holds()
}
