package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// refusesToServe tries to serve a directory, which must say why it does not.
func refusesToServe(t *testing.T, want, dir string, more ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := serve(ctx, append([]string{"--data", dir, "--listen", "127.0.0.1:0"}, more...), cli.Streams{Out: io.Discard, Err: io.Discard})
	if err == nil || ctx.Err() != nil || cli.Code(err) != 3 || !strings.Contains(err.Error(), want) {
		t.Errorf("serve: %v, want exit code 3 and %q", err, want)
	}
}

// checkSays checks a directory; the exit code and a part of what is printed must be
// as wanted.
func checkSays(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	out, err := command(check, args...)
	if cli.Code(err) != code || !strings.Contains(out, want) {
		t.Errorf("check %v: exit code %d, %v, %s; want %d and %q", args, cli.Code(err), err, out, code, want)
	}
}

// TestRestoreWitnessed: witnesses know what was published last.
func TestRestoreWitnessed(t *testing.T) {
	d := newWitnessedDir(t)
	work := t.TempDir()
	in := func(name string) string { return filepath.Join(work, name) }
	c, stop := d.serve(t)
	d.witnessed(t, c, d.submit(t, c).ID)
	_, err := command(backup, "--data", d.dir, in("older"))
	must(t, err)
	last := d.submit(t, c)
	d.witnessed(t, c, last.ID)
	if out, err := command(status, "--data", d.dir); err != nil || strings.Count(out, "witness ") != 3 || !strings.Contains(out, "0 behind") {
		t.Errorf("status: %v: %s", err, out)
	}
	must(t, stop())
	_, err = command(backup, "--data", d.dir, in("newer"))
	must(t, err)

	_, err = command(restore, "--data", in("less"), "--backup", in("older"), "--witness-policy", d.policy)
	if !errors.Is(err, datadir.ErrLess) || cli.Code(err) != 1 || !strings.Contains(err.Error(), "the witness ") {
		t.Errorf("an older backup: %v", err)
	}
	d.peers[0].Behaves(ledgertest.Refuses)
	d.peers[1].Behaves(ledgertest.Refuses)
	_, err = command(restore, "--data", in("less"), "--backup", in("newer"), "--witness-policy", d.policy)
	if !errors.Is(err, datadir.ErrWitnesses) || cli.Code(err) != 3 {
		t.Errorf("with one witness: %v", err)
	}
	d.peers[1].Behaves(ledgertest.Answers)
	_, err = command(restore, "--data", in("restored"), "--backup", in("newer"), "--witness-policy", d.policy)
	must(t, err)
	served := *d
	served.dir = in("restored")
	c, stop = served.serve(t)
	d.enrolled = served.enrolled
	d.witnessed(t, c, last.ID)
	must(t, stop())
	if datadir.WasRestored(in("restored")) {
		t.Error("the mark is still there")
	}

	// Who attests what is not so is caught by the witnesses.
	_, err = command(restore, "--data", in("forged"), "--backup", in("older"), "--attest", datadir.AttestSentence("ledger.example.com/2026", sizeOf(t, in("older"))))
	must(t, err)
	forged := *d
	forged.dir = in("forged")
	forged.refused(t, "Nothing was signed", "--witness-policy", d.policy)

	// Where no witness is left a ledger that is attested is served without them.
	_, err = command(restore, "--data", in("alone"), "--backup", in("newer"), "--attest", datadir.AttestSentence("ledger.example.com/2026", sizeOf(t, in("newer"))))
	must(t, err)
	grown(t, in("alone"), 50, 51)
	if datadir.WasRestored(in("alone")) {
		t.Error("the mark of the attested ledger is still there")
	}

	// The guard is lost, and the log is there.
	must(t, os.Remove(filepath.Join(d.dir, "guard")))
	refusesToServe(t, "is missing", d.dir, "--witness-policy", d.policy)
	_, err = command(restore, "--data", in("guarded"), "--backup", d.dir, "--witness-policy", d.policy)
	if !errors.Is(err, datadir.ErrLess) { // "restored" went on with timemarks, which d does not have
		must(t, err)
	}
}

// sizeOf returns how many records a directory has that nobody has open.
func sizeOf(t *testing.T, dir string) int64 {
	t.Helper()
	s, err := datadir.Stand(dir, "")
	must(t, err)
	return s.Size
}

// grown serves a directory and submits some more records.
func grown(t *testing.T, dir string, from, to int) {
	t.Helper()
	url, stop := running(t, dir)
	c, err := client.New(url)
	must(t, err)
	for i := from; i < to; i++ {
		_, err := c.Submit(t.Context(), enrolment(t, i, record.SeenNothing))
		must(t, err)
	}
	must(t, stop())
}

// TestGuard breaks, loses and turns back the guard.
func TestGuard(t *testing.T) {
	dir, _ := started(t)
	work := t.TempDir()
	in := func(name string) string { return filepath.Join(work, name) }
	path := filepath.Join(dir, "guard")
	grown(t, dir, 0, 3)
	_, err := command(backup, "--data", dir, in("older"))
	must(t, err)
	grown(t, dir, 3, 5)
	good, err := os.ReadFile(path)
	must(t, err)
	write := func(b []byte) { t.Helper(); must(t, os.WriteFile(path, b, 0o600)) }

	// One slot of two: the other one counts, and is one the log extends.
	for i := range 2 {
		bad := bytes.Clone(good)
		bad[i*8192+100] ^= 1
		write(bad)
		checkSays(t, 0, "one of the two slots of the guard is not whole", "--data", dir)
		grown(t, dir, 5+i, 6+i)
		checkSays(t, 0, "HOLDS", "--data", dir)
		good, err = os.ReadFile(path)
		must(t, err)
	}
	both := bytes.Clone(good)
	both[100] ^= 1
	both[8192+100] ^= 1
	for name, b := range map[string][]byte{"both slots": both, "cut": good[:9000], "empty": nil} {
		write(b)
		refusesToServe(t, "damaged", dir)
		checkSays(t, 1, "BROKEN  guard: ", "--data", dir)
		if _, err := command(backup, "--data", dir, in("b")); !errors.Is(err, ledger.ErrGuard) {
			t.Errorf("%s: a backup without a guard: %v", name, err)
		}
	}
	must(t, os.Remove(path))
	refusesToServe(t, "is missing", dir)
	checkSays(t, 1, "is missing", "--data", dir)

	// The log is whole, and nobody has a checkpoint of it any more.
	sentence := datadir.AttestSentence("ledger.example.com/2026", 8)
	_, err = command(restore, "--data", in("attested"), "--backup", dir, "--attest", sentence)
	must(t, err)
	grown(t, in("attested"), 7, 9)

	// The guard knows of more than the log: an older copy was put in its place.
	must(t, os.RemoveAll(filepath.Join(in("older"), "BACKUP"))) // as somebody may do
	checkSays(t, 1, "records 4 to 9: lost", "--data", in("older"), "--guard", filepath.Join(in("attested"), "guard"))
	refusesToServe(t, "records were lost", in("older"), "--guard", filepath.Join(in("attested"), "guard"))
	_, err = command(restore, "--data", in("less"), "--backup", in("older"), "--guard", filepath.Join(in("attested"), "guard"))
	if !errors.Is(err, datadir.ErrLess) {
		t.Errorf("restore less than the guard has: %v", err)
	}
}

// TestFlippedTables flips a bit of each table of a log, one at a time: check names
// the file.
func TestFlippedTables(t *testing.T) {
	dir, _ := started(t)
	for i := range 4 { // each start writes a table
		grown(t, dir, 8*i, 8*i+8)
	}
	for _, store := range []string{"log", "state"} {
		tables, err := filepath.Glob(filepath.Join(dir, store, "*.sst"))
		must(t, err)
		if len(tables) == 0 {
			t.Fatalf("%s has no tables", store)
		}
		for _, table := range tables {
			b, err := os.ReadFile(table)
			must(t, err)
			for range 3 {
				bad := bytes.Clone(b)
				at := rand.IntN(len(bad))
				bad[at] ^= 1 << rand.IntN(8)
				must(t, os.WriteFile(table, bad, 0o600))
				t.Logf("%s, byte %d", filepath.Base(table), at)
				checkSays(t, 1, "BROKEN  "+store+"/"+filepath.Base(table), "--data", dir)
			}
			must(t, os.WriteFile(table, b, 0o600))
		}
	}
	checkSays(t, 0, "HOLDS", "--data", dir)
}

// TestTornLog cuts the end of the log off, as a disk does that lied about a sync:
// check says which records are lost, and a mirror brings them back.
func TestTornLog(t *testing.T) {
	dir, _ := started(t)
	work := t.TempDir()
	l := &loop{t: t, work: work, vkey: vkeyOf(t, dir), acked: map[int]int64{}}
	url, stop := running(t, dir)
	c, err := client.New(url)
	must(t, err)
	for i := range 20 {
		out, err := c.Submit(t.Context(), enrolment(t, i, record.SeenNothing))
		must(t, err)
		l.acked[i] = out.Index
	}
	l.copy(url)
	must(t, stop())
	wals, err := filepath.Glob(filepath.Join(dir, "log", "*.log"))
	must(t, err)
	cut := false
	for _, wal := range wals {
		if info, err := os.Stat(wal); err == nil && info.Size() > 8<<10 {
			must(t, os.Truncate(wal, info.Size()-4<<10))
			cut = true
		}
	}
	if !cut {
		t.Fatalf("no log to cut: %v", wals)
	}
	checkSays(t, 1, "lost: the guard says that the log had 21 records", "--data", dir)
	refusesToServe(t, "records were lost", dir)
	_, err = command(backup, "--data", dir, filepath.Join(work, "b"))
	if cli.Code(err) != 1 || !strings.Contains(err.Error(), "does not hold") {
		t.Errorf("a backup of a torn log: %v", err)
	}
	l.restored("restored", "--from-mirror", filepath.Join(work, "mirror"), "--keys", filepath.Join(dir, "keys"), "--guard", filepath.Join(dir, "guard"))
	l.restored("both", "--backup", dir, "--from-mirror", filepath.Join(work, "mirror"), "--guard", filepath.Join(dir, "guard"))
}

func vkeyOf(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "keys", "log.vkey"))
	must(t, err)
	return strings.TrimSpace(string(b))
}

// TestKilledRestore kills restore at any time: there is all of it, or nothing under
// its name, and running it again works.
func TestKilledRestore(t *testing.T) {
	dir, _ := started(t)
	grown(t, dir, 0, 20)
	work := t.TempDir()
	b, to := filepath.Join(work, "b"), filepath.Join(work, "restored")
	_, err := command(backup, "--data", dir, b)
	must(t, err)
	args := []string{"restore", "--data", to, "--backup", b, "--guard", filepath.Join(dir, "guard")}
	for range 12 {
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		must(t, cmd.Start())
		timer := time.AfterFunc(time.Duration(rand.IntN(120))*time.Millisecond, func() { cmd.Process.Kill() })
		cmd.Wait() // killed, or done
		timer.Stop()
		if _, err := os.Stat(to); err == nil {
			checkSays(t, 0, "21 records", "--data", to)
			must(t, os.RemoveAll(to))
		}
	}
	_, err = command(restore, args[1:]...)
	must(t, err)
	checkSays(t, 0, "21 records", "--data", to)
	if _, err := os.Stat(to + ".partial"); err == nil {
		t.Error("something is left beside it")
	}
}
