package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/cmd/internal/mirror"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A process is docketd as one of its own, which can be killed.
type process struct {
	cmd   *exec.Cmd
	url   string
	ended chan error
}

// spawn starts docketd serve and waits until it serves.
func spawn(t *testing.T, dir string, more ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0], append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0"}, more...)...), ended: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(stderr)
	for p.url == "" && lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if _, after, ok := strings.Cut(lines.Text(), " on "); ok {
			p.url = after
		}
	}
	go func() {
		for lines.Scan() { // the request log
		}
		p.ended <- p.cmd.Wait()
	}()
	if p.url == "" {
		t.Fatalf("docketd serve: %v: %s", <-p.ended, said.String())
	}
	return p
}

// kill kills it and returns when it has ended.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	<-p.ended
}

// command runs a command of docketd in this process and returns what it printed.
func command(f func(context.Context, []string, cli.Streams) error, args ...string) (out string, err error) {
	var b bytes.Buffer
	err = f(context.Background(), args, cli.Streams{Out: &b, Err: io.Discard})
	return b.String(), err
}

// A loop kills a ledger under load again and again.
type loop struct {
	t    *testing.T
	work string // has d, the ledger, and what is made of it
	vkey string

	mu    sync.Mutex
	acked map[int]int64 // index by number of the record
	next  int
}

func newLoop(t *testing.T) *loop {
	dir, vkey := started(t)
	l := &loop{t: t, work: t.TempDir(), vkey: vkey, acked: map[int]int64{}}
	if err := os.Rename(dir, l.path("d")); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *loop) path(name string) string { return filepath.Join(l.work, name) }

// load submits records, a few at a time, until ctx ends or nobody answers.
func (l *loop) load(ctx context.Context, url string, first func()) {
	c, err := client.New(url)
	if err != nil {
		l.t.Error(err)
		return
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for ctx.Err() == nil {
				l.mu.Lock()
				i := l.next
				l.next++
				l.mu.Unlock()
				out, err := c.Submit(ctx, enrolment(l.t, i, record.SeenNothing))
				if err != nil {
					return // killed
				}
				l.mu.Lock()
				l.acked[i] = out.Index
				l.mu.Unlock()
				first()
			}
		})
	}
	wg.Wait()
}

// largest is the largest index that was acknowledged.
func (l *loop) largest() (most int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, i := range l.acked {
		most = max(most, i)
	}
	return most
}

// holds checks a directory, which must hold.
func (l *loop) holds(name string) (rep datadir.Report) {
	l.t.Helper()
	out, err := command(check, "--data", l.path(name), "--json")
	if err != nil {
		l.t.Fatalf("check %s: %v: %s", name, err, out)
	}
	if err := json.Unmarshal([]byte(out), &rep); err != nil {
		l.t.Fatal(err)
	}
	return rep
}

// round serves the ledger under load, makes a backup meanwhile, kills it, and looks
// at what is left. It returns the backup made meanwhile, if that was quick enough.
func (l *loop) round(n int) (hot *datadir.Report) {
	l.t.Helper()
	before := l.largest()
	p := spawn(l.t, l.path("d"))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	answered := make(chan bool)
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() { l.load(ctx, p.url, func() { once.Do(func() { close(answered) }) }) })
	<-answered
	name := fmt.Sprintf("hot%d", n)
	wg.Go(func() {
		out, err := command(backup, "--data", l.path("d"), "--json", l.path(name))
		if err != nil {
			if cli.Code(err) != 3 {
				l.t.Errorf("backup while recording: %v", err)
			}
			return // docketd was killed first
		}
		hot = new(datadir.Report)
		if err := json.Unmarshal([]byte(out), hot); err != nil {
			l.t.Error(err)
		}
	})
	time.Sleep(time.Duration(20+rand.IntN(300)) * time.Millisecond)
	p.kill(l.t)
	cancel()
	wg.Wait()
	if hot == nil {
		if _, err := os.Stat(l.path(name)); err == nil {
			l.t.Errorf("%s is there, and was not finished", name)
		}
	} else if rep := l.holds(name); rep.Size != hot.Size || rep.Size <= before {
		l.t.Errorf("%s has %d records, it said %d; %d were acknowledged before", name, rep.Size, hot.Size, before+1)
	}
	if rep := l.holds("d"); rep.Size <= l.largest() {
		l.t.Fatalf("after the kill there are %d records, and %d was acknowledged", rep.Size, l.largest())
	}
	return hot
}

// restored restores a ledger and serves it: all that was acknowledged is there.
func (l *loop) restored(name string, args ...string) {
	l.t.Helper()
	out, err := command(restore, append([]string{"--data", l.path(name)}, args...)...)
	if err != nil {
		l.t.Fatalf("restore %v: %v", args, err)
	}
	url, stop := running(l.t, l.path(name))
	l.same(url)
	if err := stop(); err != nil {
		l.t.Errorf("serve %s: %v: %s", name, err, out)
	}
}

// same checks that a ledger has all that was acknowledged, where it was, and audits
// it.
func (l *loop) same(url string) *verify.Summary {
	l.t.Helper()
	c, err := client.New(url)
	if err != nil {
		l.t.Fatal(err)
	}
	policy, err := verify.ParsePolicy([]byte("log " + l.vkey + "\nquorum none\n"))
	if err != nil {
		l.t.Fatal(err)
	}
	at := map[int64]bool{}
	for _, index := range l.acked {
		at[index] = true
	}
	sum, err := verify.Audit(l.t.Context(), c, policy, verify.AuditOptions{Each: func(index int64, _ record.Checked, _ rules.Standing) { delete(at, index) }})
	if err != nil || sum.Broken > 0 || len(at) > 0 {
		l.t.Fatalf("audit: %+v, %v; %d acknowledged records are missing", sum, err, len(at))
	}
	for i, index := range l.acked { // the same statement again, signed anew
		out, err := c.Submit(l.t.Context(), enrolment(l.t, i, record.SeenNothing))
		if err != nil || !out.Known || out.Index != index {
			l.t.Fatalf("record %d: %+v, %v, want index %d", i, out, err, index)
		}
		break
	}
	return sum
}

// killLoop kills a ledger some times. From each state it restores: from a backup
// that was made while it ran or after it was killed, from a mirror, from an old backup
// with the mirror's tail. What is less than was published is refused.
func killLoop(t *testing.T, rounds int) {
	l := newLoop(t)
	var hots []*datadir.Report
	guard := l.path("d/guard")
	for n := range rounds {
		if hot := l.round(n); hot != nil {
			hots = append(hots, hot)
		}
		cold := fmt.Sprintf("cold%d", n)
		if out, err := command(backup, "--data", l.path("d"), l.path(cold)); err != nil {
			t.Fatalf("backup after the kill: %v: %s", err, out)
		}
		l.restored(fmt.Sprintf("from-cold%d", n), "--backup", l.path(cold), "--guard", guard)
		if n > 0 { // the guard knows of more than the backup before
			_, err := command(restore, "--data", l.path("less"), "--backup", l.path(fmt.Sprintf("cold%d", n-1)), "--guard", guard)
			if !errors.Is(err, datadir.ErrLess) || cli.Code(err) != 1 {
				t.Errorf("restore an older backup: %v", err)
			}
		}
	}
	p := spawn(t, l.path("d"))
	sum := l.same(p.url)
	l.prefixes(p.url, sum, hots)
	l.copy(p.url)
	p.kill(t)
	l.restored("from-mirror", "--from-mirror", l.path("mirror"), "--keys", l.path("d/keys"), "--guard", guard)
	l.restored("from-both", "--backup", l.path("cold0"), "--from-mirror", l.path("mirror"), "--guard", guard)
}

// prefixes checks that each backup that was made meanwhile is a prefix of the log.
func (l *loop) prefixes(url string, sum *verify.Summary, hots []*datadir.Report) {
	l.t.Helper()
	c, err := client.New(url)
	if err != nil {
		l.t.Fatal(err)
	}
	tree := sum.Signed.Tree(c)
	for _, hot := range hots {
		root, err := tree.Root(l.t.Context(), hot.Size)
		if err != nil || root.String() != hot.Root {
			l.t.Errorf("a backup of %d records has the root %s, the log has %v there, %v", hot.Size, hot.Root, root, err)
		}
	}
	l.t.Logf("%d records, %d acknowledged; %d backups while recording", sum.Entries, len(l.acked), len(hots))
}

// copy makes a mirror.
func (l *loop) copy(url string) {
	l.t.Helper()
	c, err := client.New(url)
	if err != nil {
		l.t.Fatal(err)
	}
	policy, err := verify.ParsePolicy([]byte("log " + l.vkey + "\nquorum none\n"))
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := mirror.Sync(l.t.Context(), mirror.Config{Source: c, Policies: []*verify.Policy{policy}, Dir: l.path("mirror")}); err != nil {
		l.t.Fatal(err)
	}
}

// TestKill kills a ledger a few times.
func TestKill(t *testing.T) { killLoop(t, 3) }
