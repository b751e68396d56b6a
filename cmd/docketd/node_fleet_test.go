//go:build fleet

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/ledger/tree/fleet/fleettest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// A cluster is a real fleet with nodes of one ledger.
type cluster struct {
	*fleettest.Fleet
	t    *testing.T
	args []string // of a node
	vkey string
	tree int64
	dirs []string

	mu    sync.Mutex
	acked map[record.ID]int64 // what was acknowledged, at which index
}

// newCluster begins a ledger in a fleet and joins more nodes.
func newCluster(t *testing.T, nodes int, opt fleettest.Options) *cluster {
	t.Helper()
	f, err := fleettest.Start(opt)
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	c := &cluster{Fleet: f, t: t}
	out := c.run(fleetInit, "--trillian", strings.Join(f.Addresses, ","), "--trillian-plaintext", "--name", "nodes")
	var id int64
	_, err = fmt.Sscanf(out, "tree-id %d\n", &id)
	must(t, err)
	c.tree, c.args = id, []string{"--trillian", strings.Join(f.Addresses, ","), "--trillian-plaintext", "--tree-id", fmt.Sprint(id)}
	first := t.TempDir()
	c.run(key, "--data", first, "--origin", "ledger.example.com/2026")
	b, err := os.ReadFile(filepath.Join(first, "keys", "log.vkey"))
	must(t, err)
	c.vkey = strings.TrimSpace(string(b))
	signed, err := charter(c.vkey, "ada", "ben", "rita")
	must(t, err)
	file := filepath.Join(first, "charter.jws")
	must(t, os.WriteFile(file, signed, 0o600))
	c.run(initialise, append([]string{"--data", first, "--charter", file}, c.args...)...)
	c.dirs = []string{first}
	url, stop := running(t, first, c.args...)
	for range nodes - 1 {
		dir := t.TempDir()
		must(t, os.CopyFS(filepath.Join(dir, "keys"), os.DirFS(filepath.Join(first, "keys"))))
		keys, err := filepath.Glob(filepath.Join(dir, "keys", "*"))
		must(t, err)
		for _, k := range keys {
			must(t, os.Chmod(k, 0o600))
		}
		c.run(fleetJoin, append([]string{"--data", dir, "--peer", url}, c.args...)...)
		c.dirs = append(c.dirs, dir)
	}
	must(t, stop())
	return c
}

// run runs a command that must go well, and returns what it printed.
func (c *cluster) run(f func(context.Context, []string, cli.Streams) error, args ...string) string {
	c.t.Helper()
	out, err := command(f, args...)
	if err != nil {
		c.t.Fatalf("%v: %v", args, err)
	}
	return out
}

// node starts a node as a process of its own.
func (c *cluster) node(i int, more ...string) (*process, *client.Client) {
	c.t.Helper()
	p := spawn(c.t, c.dirs[i], append(append([]string{}, c.args...), more...)...)
	c.t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // it may have been killed
	k, err := client.New(p.url)
	must(c.t, err)
	return p, k
}

// audit audits a node, and returns the size.
func (c *cluster) audit(k *client.Client) int64 {
	c.t.Helper()
	policy, err := verify.ParsePolicy([]byte("log " + c.vkey + "\nquorum none\n"))
	must(c.t, err)
	sum, err := verify.Audit(c.t.Context(), k, policy, verify.AuditOptions{})
	must(c.t, err)
	if sum.Broken > 0 || sum.Void > 0 {
		c.t.Fatalf("%+v", sum)
	}
	return sum.Signed.Checkpoint.Size
}

// submit submits the enrolment of holder n until it is taken, and returns the index and
// how long that took.
func (c *cluster) submit(k *client.Client, n int) (index int64, took time.Duration) {
	c.t.Helper()
	b, start := enrolment(c.t, n, record.SeenNothing), time.Now()
	for {
		out, err := k.Submit(c.t.Context(), b)
		if err == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.acked == nil {
				c.acked = map[record.ID]int64{}
			}
			if at, again := c.acked[out.ID]; again && at != out.Index {
				c.t.Errorf("%s is at %d and %d", out.ID, at, out.Index)
			}
			c.acked[out.ID] = out.Index
			return out.Index, time.Since(start)
		}
		if time.Since(start) > 3*time.Minute {
			c.t.Fatalf("record %d: %v", n, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestFleetNodes: two nodes take records at once; each proves all of them, reads what was
// written elsewhere, and one that was killed or lost its copy catches up by itself.
func TestFleetNodes(t *testing.T) {
	c := newCluster(t, 2, fleettest.Options{Servers: 2, Signers: 1})
	one, first := c.node(0)
	two, second := c.node(1)
	var wg sync.WaitGroup
	indexes := make([]int64, 40)
	for i := range indexes {
		wg.Go(func() { indexes[i], _ = c.submit([]*client.Client{first, second}[i%2], i) })
	}
	wg.Wait()
	seen := map[int64]bool{}
	for _, i := range indexes {
		seen[i] = true
	}
	if len(seen) != len(indexes) {
		t.Errorf("%d records at %d places", len(indexes), len(seen))
	}
	again, _ := c.submit(second, 0) // which the first node has taken
	if again != indexes[0] {
		t.Errorf("the same record is at %d and %d", indexes[0], again)
	}

	// A client that moves from one node to another reads what it wrote.
	moving, err := client.New(one.url)
	must(t, err)
	for i := 100; i < 110; i++ {
		at, _ := c.submit(moving, i)
		other, err := client.New(two.url)
		must(t, err)
		other.Seen(at + 1)
		info, err := other.Info(t.Context())
		must(t, err)
		if info.Size < at+1 {
			t.Errorf("the other node answers with size %d after record %d", info.Size, at)
		}
	}

	one.kill(t)
	for i := 200; i < 205; i++ {
		c.submit(second, i)
	}
	size := c.audit(second)
	must(t, errors.Join(os.RemoveAll(filepath.Join(c.dirs[0], "log")), os.RemoveAll(filepath.Join(c.dirs[0], "state")), os.RemoveAll(filepath.Join(c.dirs[0], "index"))))
	one, first = c.node(0, "--peer", two.url) // all of it is followed anew
	if got := c.audit(first); got != size {
		t.Errorf("the node that lost its copy has %d records, want %d", got, size)
	}
	_ = one

	if _, err := command(serve, "--data", c.dirs[0]); err == nil || !strings.Contains(err.Error(), "--trillian") {
		t.Errorf("a node without its fleet: %v", err)
	}
}

// TestFleetMigrate moves a ledger to a fleet and back; its receipts hold throughout, and
// each checkpoint extends the one before.
func TestFleetMigrate(t *testing.T) {
	f, err := fleettest.Start(fleettest.Options{Servers: 1, Signers: 1})
	must(t, err)
	defer func() { must(t, f.Close()) }()
	dir, vkey := started(t)
	c := &cluster{Fleet: f, t: t, vkey: vkey, dirs: []string{dir}}
	p, k := c.node(0)
	for i := range 20 {
		c.submit(k, i)
	}
	before, err := k.Info(t.Context())
	must(t, err)
	p.kill(t)
	out := c.run(fleetInit, "--trillian", f.Addresses[0], "--trillian-plaintext")
	var id int64
	_, err = fmt.Sscanf(out, "tree-id %d\n", &id)
	must(t, err)
	c.args = []string{"--trillian", f.Addresses[0], "--trillian-plaintext", "--tree-id", fmt.Sprint(id)}
	if _, err := command(serve, append([]string{"--data", dir}, c.args...)...); !errors.Is(err, datadir.ErrEmbedded) {
		t.Errorf("a ledger of its own, served as a node: %v", err)
	}
	if out := c.run(migrate, append([]string{"--data", dir}, c.args...)...); !strings.Contains(out, before.Root) {
		t.Errorf("%q, want the root %s", out, before.Root)
	}
	if _, err := command(migrate, append([]string{"--data", dir}, c.args...)...); !errors.Is(err, datadir.ErrNode) {
		t.Errorf("moved again: %v", err)
	}
	p, k = c.node(0)
	if info, err := k.Info(t.Context()); err != nil || info.Root != before.Root {
		t.Errorf("as a node it has %+v, %v", info, err)
	}
	for i := 20; i < 30; i++ {
		c.submit(k, i)
	}
	size := c.audit(k)
	p.kill(t)
	c.run(migrate, append([]string{"--data", dir, "--back"}, c.args...)...)
	c.args = nil
	_, k = c.node(0)
	c.submit(k, 30)
	if got := c.audit(k); got != size+1 {
		t.Errorf("%d records, want %d", got, size+1)
	}
	old, _ := c.submit(k, 3)
	if old >= before.Size {
		t.Errorf("a record from before the move is at %d now", old)
	}
}

// TestFleetWitnessed: two nodes have the same witnesses cosign one log, whichever took the
// records; and one that comes anew asks them before it signs.
func TestFleetWitnessed(t *testing.T) {
	f, err := fleettest.Start(fleettest.Options{Servers: 1, Signers: 1})
	must(t, err)
	defer func() { must(t, f.Close()) }()
	d := newWitnessedDir(t)
	c := &cluster{Fleet: f, t: t, vkey: d.vkey}
	var id int64
	_, err = fmt.Sscanf(c.run(fleetInit, "--trillian", f.Addresses[0], "--trillian-plaintext"), "tree-id %d\n", &id)
	must(t, err)
	args := []string{"--trillian", f.Addresses[0], "--trillian-plaintext", "--tree-id", fmt.Sprint(id)}
	c.run(migrate, append([]string{"--data", d.dir}, args...)...)
	url, stop := running(t, d.dir, append(args, "--witness-policy", d.policy)...)
	one, err := client.New(url)
	must(t, err)

	other := *d
	other.dir = t.TempDir()
	must(t, os.Mkdir(filepath.Join(other.dir, "keys"), 0o700))
	for _, name := range []string{"log.key", "log.vkey"} { // its machine key would be another
		b, err := os.ReadFile(filepath.Join(d.dir, "keys", name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(other.dir, "keys", name), b, 0o600))
	}
	c.run(fleetJoin, append([]string{"--data", other.dir, "--peer", url}, args...)...)
	two, stopTwo := other.serve(t, append(args, "--peer", url)...)
	for i := range 6 {
		by := []*client.Client{one, two}[i%2]
		out := d.submit(t, by)
		for _, at := range []*client.Client{one, two} {
			at.Seen(out.Index + 1)
			d.witnessed(t, at, out.ID)
		}
	}
	for _, at := range []*client.Client{one, two} {
		sum, err := verify.Audit(t.Context(), at, d.trust, verify.AuditOptions{})
		if err != nil || sum.Broken > 0 || !sum.Witnessed {
			t.Errorf("%+v, %v", sum, err)
		}
	}
	must(t, stopTwo())
	must(t, stop())

	d.all(ledgertest.Refuses) // nobody says what was cosigned, and no peer is up: the guard alone binds
	url, stop = running(t, d.dir, append(args, "--witness-policy", d.policy)...)
	must(t, stop())
}
