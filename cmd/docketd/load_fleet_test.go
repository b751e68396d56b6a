//go:build fleet && long

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/ledger/tree/fleet/fleettest"
)

// loaded is what docket-bench says, as far as it is used.
type loaded struct {
	Records, Failed, Bytes int
	Rate, P50, P99         float64
}

// TestLongFleetLoad compares, in one run and on one database with fsync, how fast two nodes take
// records, how fast bare Trillian takes leaves of the same size, and an embedded ledger. It
// asserts only that all are taken: docs/notes/fleet.md has numbers.
func TestLongFleetLoad(t *testing.T) {
	const records, workers = 6000, 512
	bin := filepath.Join(t.TempDir(), "docket-bench")
	if out, err := exec.Command("go", "build", "-o", bin, "../docket-bench").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := newCluster(t, 2, fleettest.Options{Servers: 2, Signers: 1, Sync: true})
	one, first := c.node(0)
	two, _ := c.node(1)
	c.load(bin, first, 1000, workers, one.url, two.url)
	_, err := c.SQL(t.Context(), "analyze") // as a database does by itself after a while
	must(t, err)
	busy, stop := c.statements()
	nodes := c.load(bin, first, records, workers, one.url, two.url)
	stop()
	fmt.Print(busy())
	single := c.load(bin, first, records, workers, one.url)

	leaves := make([][]byte, records)
	for i := range leaves {
		leaves[i] = make([]byte, nodes.Bytes)
		_, _ = rand.Read(leaves[i]) // never fails
	}
	for _, batch := range []int{256, 512, 1000} {
		took, each, err := c.Bare(t.Context(), leaves, batch)
		must(t, err)
		slices.Sort(each)
		rate := records / took.Seconds()
		fmt.Printf("bare Trillian, batches of %4d: %5.0f/s, %v a batch; two nodes make %.2f of that, one %.2f\n",
			batch, rate, each[len(each)/2].Round(time.Millisecond), nodes.Rate/rate, single.Rate/rate)
	}
	one.kill(t)
	two.kill(t)

	dir, vkey := started(t)
	e := &cluster{t: t, vkey: vkey, dirs: []string{dir}}
	p, k := e.node(0)
	e.load(bin, k, records, workers, p.url)
}

// load enrols two deciders, posts, prints and returns what came of it.
func (c *cluster) load(bin string, k *client.Client, records, workers int, urls ...string) loaded {
	c.t.Helper()
	args := []string{"post", "--json", "--records", fmt.Sprint(records), "--workers", fmt.Sprint(workers)}
	for i := 9000; i < 9002; i++ {
		c.submit(k, i)
		path := filepath.Join(c.t.TempDir(), "decider.jwk")
		must(c.t, keyfile.Write(path, ledgertest.Key(fmt.Sprintf("holder-%d", i)), nil))
		args = append(args, "--key", path)
	}
	out, err := exec.Command(bin, append(args, urls...)...).Output()
	var l loaded
	if err != nil || json.Unmarshal(out, &l) != nil || l.Failed > 0 {
		c.t.Fatalf("%v: %s", err, out)
	}
	fmt.Printf("%d of docketd, %d callers: %5.0f/s, p50 %.0f ms, p99 %.0f ms, %d bytes a record\n", len(urls), workers, l.Rate, 1000*l.P50, 1000*l.P99, l.Bytes)
	return l
}

// statements looks every fifth of a second at what the database does, until stop is called;
// busy says then what it was seen at most often.
func (c *cluster) statements() (busy func() string, stop func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	seen, samples := map[string]int{}, 0
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ; ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
			out, err := c.SQL(ctx, `select coalesce(wait_event, 'processor') || ': ' || left(regexp_replace(query, '\s+', ' ', 'g'), 100)
				from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and backend_type = 'client backend'`)
			if err != nil {
				continue // the context ended
			}
			samples++
			for line := range strings.Lines(out) {
				seen[strings.TrimSpace(line)]++
			}
		}
	}()
	return func() string {
		names := slices.Collect(maps.Keys(seen))
		slices.SortFunc(names, func(a, b string) int { return seen[b] - seen[a] })
		var b strings.Builder
		for _, name := range names[:min(8, len(names))] {
			fmt.Fprintf(&b, "  %3d %% of the time  %s\n", 100*seen[name]/max(1, samples), name)
		}
		return b.String()
	}, func() { cancel(); <-ended }
}
