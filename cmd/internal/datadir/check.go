package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/pebblestore"
	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/verify"
)

// A Fault is something in a data directory that is broken.
type Fault struct {
	Where  string `json:"where"`           // a file or folder of the directory
	First  int64  `json:"first,omitempty"` // the records that it is about are First <= index < End;
	End    int64  `json:"end,omitempty"`   // End 0 means none
	Reason string `json:"reason"`
	Do     string `json:"do"` // what helps
}

func (f Fault) String() string {
	switch {
	case f.End == 0:
		return f.Where + ": " + f.Reason
	case f.End == f.First+1:
		return fmt.Sprintf("%s: record %d: %s", f.Where, f.First, f.Reason)
	}
	return fmt.Sprintf("%s: records %d to %d: %s", f.Where, f.First, f.End-1, f.Reason)
}

// A Report is what Check saw.
type Report struct {
	Origin string `json:"origin"`
	Backup bool   `json:"backup"` // it is a backup
	// Size and Root are the tree that the records make, computed anew.
	Size int64  `json:"size"`
	Root string `json:"root,omitempty"` // base64; "" if it can't be computed
	// Guarded is the size of the checkpoint in the guard, State how many
	// records the rules state has seen, Checkpoints how many witnessed ones
	// are kept.
	Guarded     int64    `json:"guarded"`
	State       int64    `json:"state"`
	Checkpoints int      `json:"checkpoints"`
	Faults      []Fault  `json:"faults"`
	Notes       []string `json:"notes"` // what is not broken, and worth knowing
}

// CheckOptions change Check.
type CheckOptions struct {
	// Guard is the path of the guard file; empty means guard in dir.
	Guard string
	// Progress, if set, is called now and then with how many records were
	// read, of how many.
	Progress func(done, of int64)
}

// What helps.
const (
	doRestore = "keep this directory as it is, and make a new one: docketd restore --data NEW --from-mirror URL|DIR, or --backup DIR with it"
	doState   = "remove the folder state: it is made anew from the log at the next start"
	doGuard   = "put the newest copy of the guard file in its place. If there is none: docketd restore --data NEW, see docs/operations.md"
	doKeys    = "put the keys back from where they are kept: the safe, or a backup"
	doKept    = "move that file away: it is a copy of what witnesses cosigned, not part of the log"
)

// A checker collects what is broken.
type checker struct {
	dir    string
	opt    CheckOptions
	rep    Report
	own    *verify.Policy // nil if the log key is not known
	wanted map[int64][]want
}

// A want is a root that the log must have had at a size.
type want struct {
	where, what, do string
	root            tlog.Hash
	derived         bool // it is made anew from the log if it is another
}

// Check reads all of a data directory that no process has open, or of a backup,
// and changes nothing. What is broken is in the report; the error says why it could
// not be found out. It wraps tree.ErrInUse if a process has it open.
func Check(ctx context.Context, dir string, opt CheckOptions) (*Report, error) {
	if _, err := os.ReadDir(dir); err != nil {
		return nil, err
	}
	if opt.Guard == "" {
		opt.Guard = filepath.Join(dir, "guard")
	}
	c := &checker{dir: dir, opt: opt, wanted: map[int64][]want{}, rep: Report{Faults: []Fault{}, Notes: []string{}}}
	if err := c.layout(); err != nil {
		return nil, err
	}
	c.keys()
	c.guard()
	if err := c.checkpoints(); err != nil {
		return nil, err
	}
	if err := c.state(ctx); err != nil {
		return nil, err
	}
	if err := c.log(ctx); err != nil {
		return nil, err
	}
	return &c.rep, nil
}

func (c *checker) fault(where, do, format string, args ...any) {
	c.rep.Faults = append(c.rep.Faults, Fault{Where: where, Reason: fmt.Sprintf(format, args...), Do: do})
}

func (c *checker) note(format string, args ...any) {
	c.rep.Notes = append(c.rep.Notes, fmt.Sprintf(format, args...))
}

// layout looks at VERSION and the marks.
func (c *checker) layout() error {
	if _, err := os.Stat(filepath.Join(c.dir, "log")); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(c.dir, "VERSION")); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is no data directory: it has neither VERSION nor log", c.dir)
		}
	}
	has := func(mark string) bool {
		_, err := os.Lstat(filepath.Join(c.dir, mark))
		return err == nil
	}
	if c.rep.Backup = has(backupMark); c.rep.Backup {
		c.note("this is a backup")
	}
	if has(restoredMark) {
		c.note("this ledger was restored, and was not served since")
	}
	b, err := os.ReadFile(filepath.Join(c.dir, "VERSION"))
	if err != nil {
		c.fault("VERSION", "write 1 into it", "%v", err)
		return nil
	}
	newer, err := parseVersion(c.dir, b)
	if newer {
		return err // this program would misread it
	}
	if err != nil {
		c.fault("VERSION", "write 1 into it", "%v", err)
	}
	return nil
}

// keys looks at the keys, and finds out whose the log is.
func (c *checker) keys() {
	key, err := readLogKey(c.dir, "")
	if err == nil {
		err = key.close()
	}
	switch {
	case err != nil && inToken(c.dir):
		c.note("the log key is in a token, which could not be asked: %v", err)
	case err != nil:
		c.fault("keys", doKeys, "%v", err)
	}
	if c.own, err = ownPolicy(c.dir); err != nil {
		c.fault("keys", doKeys, "%v", err)
	} else {
		c.rep.Origin = c.own.Logs()[0].Key.Name
	}
	if _, err := keyfile.Read(filepath.Join(c.dir, "keys", "machine.jwk"), nil); err != nil {
		c.fault("keys/machine.jwk", doKeys, "%v", err)
	}
}

// guard reads both slots of the guard.
func (c *checker) guard() {
	note, whole, err := ledger.ReadGuard(c.opt.Guard)
	if errors.Is(err, fs.ErrNotExist) {
		c.fault("guard", doGuard, "%s is missing: without it nobody knows what this log signed last", c.opt.Guard)
		return
	}
	if err != nil {
		c.fault("guard", doGuard, "%v", err)
		return
	}
	if whole == 1 {
		c.note("one of the two slots of the guard is not whole. That is so after the first checkpoint and after a crash; the other one counts")
	}
	if c.own == nil {
		return
	}
	signed, err := c.own.Open(note)
	if err != nil {
		c.fault("guard", "put the guard and the keys together that belong together", "its checkpoint is not one that this log key signed: %v", err)
		return
	}
	c.rep.Guarded = signed.Checkpoint.Size
	c.want(signed.Checkpoint, want{where: "log", what: "the guard", do: doRestore})
}

// want remembers a root for when the log is read.
func (c *checker) want(cp verify.Checkpoint, w want) {
	w.root = cp.Root
	c.wanted[cp.Size] = append(c.wanted[cp.Size], w)
}

// checkpoints reads the witnessed checkpoints that are kept.
func (c *checker) checkpoints() error {
	list, err := os.ReadDir(filepath.Join(c.dir, "checkpoints"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range list {
		name := e.Name()
		if name != "newest" && strings.Trim(name, "0123456789") != "" || c.own == nil {
			continue // what cosigning remembers, evidence
		}
		where := "checkpoints/" + name
		b, err := os.ReadFile(filepath.Join(c.dir, where))
		if err != nil {
			return err
		}
		signed, err := c.own.Open(b)
		if err != nil {
			c.fault(where, doKept, "%v", err)
			continue
		}
		c.rep.Checkpoints++
		c.want(signed.Checkpoint, want{where: "log", what: where, do: doRestore})
	}
	return nil
}

// state checks the rules state.
func (c *checker) state(ctx context.Context) error {
	dir := filepath.Join(c.dir, "state")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		c.note("there is no rules state: it is made from the log at the next start")
		return nil
	}
	broken := false
	s, err := state.Check(ctx, dir, func(file, reason string) {
		broken = true
		c.fault(filepath.Join("state", file), doState, "%s", reason)
	})
	if errors.Is(err, state.ErrInUse) {
		return inUse(c.dir, err)
	}
	if err != nil || broken {
		return err
	}
	if s.Old {
		c.note("the rules state is one of another version: it is made anew at the next start")
		return nil
	}
	c.rep.State = s.Size
	if s.Size > 0 {
		c.want(verify.Checkpoint{Size: s.Size, Root: s.Root}, want{where: "state", what: "the rules state", derived: true})
	}
	return nil
}

func inUse(dir string, err error) error {
	return fmt.Errorf("%s is in use by another docketd: stop that one first, or check a backup of it: %w: %w", dir, tree.ErrInUse, err)
}

// log checks the log, and what the rest says about it.
func (c *checker) log(ctx context.Context) error {
	dir := filepath.Join(c.dir, "log")
	found := func(f pebblestore.Fault) {
		c.rep.Faults = append(c.rep.Faults, Fault{Where: filepath.Join("log", f.File), First: f.First, End: f.End, Reason: f.Reason, Do: doRestore})
	}
	l, err := pebblestore.Look(dir, nil)
	switch {
	case errors.Is(err, pebblestore.ErrInUse):
		return inUse(c.dir, err)
	case errors.Is(err, fs.ErrPermission):
		return err
	case err != nil:
		c.fault("log", doRestore, "it can't be opened: %v", err)
		if err := pebblestore.CheckTables(dir, nil, found); err != nil {
			c.fault("log", doRestore, "%v", err)
		}
		return nil
	}
	whole := false
	reached := int64(-1)
	var root tlog.Hash
	c.rep.Size, root, whole, err = l.Check(ctx, pebblestore.CheckOptions{Found: found, Progress: c.opt.Progress}, func(size int64, root func() [32]byte) {
		reached = size
		for _, w := range c.wanted[size] {
			c.compare(size, w, root())
		}
	})
	if err := errors.Join(err, l.Close()); err != nil {
		return err
	}
	if whole {
		c.rep.Root = root.String()
	}
	for size, all := range c.wanted {
		for _, w := range all {
			c.beyond(size, reached, whole, w)
		}
	}
	if whole && c.rep.Guarded < c.rep.Size && c.rep.Guarded > 0 {
		c.note("the log has %d records and the guard a checkpoint of %d: the next start signs the rest", c.rep.Size, c.rep.Guarded)
	}
	return nil
}

// compare compares the log with what else remembers it.
func (c *checker) compare(size int64, w want, root tlog.Hash) {
	switch {
	case root == w.root:
	case w.derived:
		c.note("%s has seen another log: it is made anew at the next start", w.what)
	default:
		c.fault(w.where, w.do, "its root at size %d is %v, and %s says that it is %v: records were changed", size, root, w.what, w.root)
	}
}

// beyond tells what reaches beyond the log, which was read up to a size.
func (c *checker) beyond(size, reached int64, whole bool, w want) {
	switch {
	case size <= reached:
	case !whole && size <= c.rep.Size:
		// What is broken has been told.
	case w.derived:
		c.note("%s has seen %d records, and the log has only %d: it is made anew at the next start", w.what, size, c.rep.Size)
	default:
		c.rep.Faults = append(c.rep.Faults, Fault{Where: w.where, First: c.rep.Size, End: size, Do: w.do,
			Reason: fmt.Sprintf("lost: %s says that the log had %d records, and it has %d", w.what, size, c.rep.Size)})
	}
}
