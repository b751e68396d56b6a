package drafts_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger/drafts"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

const life = 720 * time.Hour

// A desk is where drafts are made and kept.
type desk struct {
	t   *testing.T
	cfg drafts.Config
	*drafts.Store
	now time.Time
}

func newDesk(t *testing.T, change func(*drafts.Config)) *desk {
	d := &desk{t: t, now: ledgertest.Start}
	d.cfg = drafts.Config{Dir: filepath.Join(t.TempDir(), "drafts"), Life: func() time.Duration { return life }, Now: func() time.Time { return d.now }}
	if change != nil {
		change(&d.cfg)
	}
	d.reopen()
	return d
}

func (d *desk) reopen() {
	d.t.Helper()
	var err error
	if d.Store, err = drafts.Open(d.cfg); err != nil {
		d.t.Fatal(err)
	}
}

// signed returns a revocation of a made-up key, signed now by the named.
func (d *desk) signed(what string, names ...string) record.Checked {
	d.t.Helper()
	ring := record.Keyring{}
	u, err := record.NewDraft(&record.KeyRevoke{Common: record.Common{Ledger: ledgertest.Origin}, KID: ledgertest.Ref(what), Reason: record.Retired})
	for _, name := range names {
		if err == nil {
			u, err = u.Sign(ledgertest.Key(name), d.now.Unix(), 1, record.SeenNothing)
		}
		ring.Add(ledgertest.JWK(name))
	}
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := u.Verify(ring)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

func (d *desk) put(r record.Checked, by string) *drafts.Draft {
	d.t.Helper()
	out, _, err := d.Put(r, by)
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

func (d *desk) list() []*drafts.Draft {
	d.t.Helper()
	all, err := d.List()
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

func (d *desk) files() []string {
	d.t.Helper()
	files, err := filepath.Glob(filepath.Join(d.cfg.Dir, "*"))
	if err != nil {
		d.t.Fatal(err)
	}
	return files
}

// TestKept: drafts are there after a restart, with all that is known of them.
func TestKept(t *testing.T) {
	d := newDesk(t, nil)
	one := d.put(d.signed("one", "ada"), "kid-a")
	d.now = d.now.Add(time.Second)
	two := d.put(d.signed("two", "ada"), "kid-a")
	merged, added, err := d.Put(d.signed("one", "ben"), "kid-b")
	if err != nil || added || merged.ID != one.ID || len(merged.Record.Headers()) != 2 {
		t.Fatalf("merge: %+v, %v, %v", merged, added, err)
	}
	for range 2 {
		all := d.list()
		if len(all) != 2 || all[0].ID != one.ID || all[1].ID != two.ID {
			t.Fatalf("got %d drafts", len(all))
		}
		got, err := d.Get(one.ID)
		if err != nil || string(got.Record.Bytes()) != string(merged.Record.Bytes()) || !got.Posted.Equal(one.Posted) ||
			!got.Concerns("kid-a") || !got.Concerns("kid-b") || !got.Concerns(ledgertest.JWK("ben").KID()) || got.Concerns("kid-c") {
			t.Errorf("got %+v, %v", got, err)
		}
		d.reopen()
	}
	if err := d.Remove(one.ID); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(one.ID); err != nil {
		t.Errorf("removed twice: %v", err)
	}
	d.reopen()
	if _, err := d.Get(one.ID); !errors.Is(err, fs.ErrNotExist) || len(d.files()) != 1 {
		t.Errorf("after removal: %v, %v", err, d.files())
	}
}

// TestEnds: the oldest signature decides, and nothing is left.
func TestEnds(t *testing.T) {
	d := newDesk(t, nil)
	one := d.put(d.signed("one", "ada"), "a")
	d.now = d.now.Add(life)
	d.put(d.signed("one", "ben"), "b")
	if got, err := d.Get(one.ID); err != nil || !got.Expires(life).Equal(d.now) {
		t.Errorf("at its end: %v", err)
	}
	d.now = d.now.Add(time.Second)
	if _, err := d.Get(one.ID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after its end: %v", err)
	}
	if len(d.list()) != 0 || len(d.files()) != 0 {
		t.Errorf("left: %v", d.files())
	}
}

func TestLimits(t *testing.T) {
	d := newDesk(t, func(c *drafts.Config) { c.PerKey, c.Max = 2, 3 })
	full := func(what, by string) {
		t.Helper()
		if _, _, err := d.Put(d.signed(what, "ada"), by); !errors.Is(err, drafts.ErrFull) {
			t.Errorf("%s by %s: %v, want ErrFull", what, by, err)
		}
	}
	d.put(d.signed("one", "ada"), "a")
	d.put(d.signed("two", "ada"), "a")
	full("three", "a")
	d.put(d.signed("three", "ada"), "b")
	full("four", "b")
	d.put(d.signed("one", "ben"), "a") // what is there may be signed
	d.now = d.now.Add(life + time.Second)
	d.put(d.signed("four", "ada"), "a") // all the others have ended

	small := len(d.signed("one", "ada").Bytes())
	d = newDesk(t, func(c *drafts.Config) { c.MaxBytes = int64(2*small - 1) })
	d.put(d.signed("one", "ada"), "a")
	full("two", "b")
	if _, _, err := d.Put(d.signed("one", "ben", "cleo"), "b"); !errors.Is(err, drafts.ErrFull) {
		t.Errorf("more signatures than there is room for: %v, want ErrFull", err)
	}
}

// TestDamage: what can't be read is left aside, and what was half written is
// removed.
func TestDamage(t *testing.T) {
	d := newDesk(t, nil)
	one := d.put(d.signed("one", "ada"), "a")
	path := filepath.Join(d.cfg.Dir, one.ID+".json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(d.cfg.Dir, "draft-"+ledgertest.Ref("other")+".json")
	for what, content := range map[string]string{
		"empty": "", "cut": string(good[:len(good)/2]), "no record": `{"by":["a"],"posted":"2026-11-23T08:00:00Z","record":{}}`,
		"under another name": string(good), "posted by nobody": strings.Replace(string(good), `"by":["a"]`, `"by":[]`, 1),
	} {
		target := other
		if what == "posted by nobody" {
			target = path
		}
		if err := os.WriteFile(target, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		d.reopen()
		if all := d.list(); target == other && (len(all) != 1 || all[0].ID != one.ID) || target == path && len(all) != 0 {
			t.Errorf("%s: got %d drafts", what, len(all))
		}
		if target == path {
			err = os.WriteFile(path, good, 0o600)
		} else {
			err = os.Remove(other)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path+".new", good[:10], 0o600); err != nil {
		t.Fatal(err)
	}
	d.reopen()
	if len(d.list()) != 1 || len(d.files()) != 1 {
		t.Errorf("after a crash: %v", d.files())
	}
	if err := os.RemoveAll(d.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Put(d.signed("two", "ada"), "a"); err == nil {
		t.Error("kept where it can't be written")
	}
	if len(d.list()) != 1 {
		t.Error("what could not be written is listed")
	}
}

// TestTooManySigners: a record has no room for more than sixteen.
func TestTooManySigners(t *testing.T) {
	d := newDesk(t, nil)
	names := strings.Split("abcdefghijklmnop", "")
	d.put(d.signed("one", names...), "a")
	var bad *record.Error
	if _, _, err := d.Put(d.signed("one", "q"), "q"); !errors.As(err, &bad) {
		t.Errorf("got %v, want a *record.Error", err)
	}
}

func TestConcurrent(t *testing.T) {
	d := newDesk(t, nil)
	var records []record.Checked
	for _, name := range strings.Split("abcdefgh", "") {
		records = append(records, d.signed("one", name))
	}
	var wg sync.WaitGroup
	for _, r := range records {
		wg.Go(func() {
			if _, _, err := d.Put(r, r.Headers()[0].KID); err != nil {
				t.Error(err)
			}
			if _, err := d.List(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all := d.list(); len(all) != 1 || len(all[0].Record.Headers()) != len(records) || len(all[0].By) != len(records) {
		t.Errorf("got %+v", all)
	}
}

func TestConfig(t *testing.T) {
	if _, err := drafts.Open(drafts.Config{Dir: t.TempDir()}); err == nil {
		t.Error("opened without Life")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := drafts.Open(drafts.Config{Dir: file, Life: func() time.Duration { return life }}); err == nil {
		t.Error("opened a file")
	}
}
