package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/pebblestore"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/tile"
)

// RestoreOptions say from what a ledger is restored. Backup or Mirror is required.
type RestoreOptions struct {
	// Backup is a backup, or a data directory that no process has open; ""
	// means none. Keys and drafts are taken from it.
	Backup string
	// Mirror has the log; nil means none. Policies say which checkpoints of it
	// count; without them it is those that the log key signed.
	Mirror   verify.Source
	Policies verify.Policies
	// Keys is a folder with the keys, if they are not those of Backup.
	Keys string

	// What was published last, one of them at least: the guard file that
	// survived, the file of a policy whose witnesses are asked, or the
	// sentence by which the operator attests that there is neither.
	Guard     string
	Witnesses []byte
	Attest    string

	// Found and Progress are as in verify.AuditOptions.
	Found    func(verify.Finding)
	Progress func(done, of int64)
}

// A Restored says what was restored, and what binds it. It is what the file
// RESTORED holds, as JSON.
type Restored struct {
	V      int    `json:"v"` // 1
	At     string `json:"at"`
	Origin string `json:"origin"`
	Size   int64  `json:"size"`
	Root   string `json:"root"`
	// Kept is how many records came from the backup.
	Kept int64 `json:"kept"`
	// Guarded is the size of the checkpoint in the new guard: the largest one
	// that this log is known to have signed. BoundBy says who has it, and
	// what else was compared.
	Guarded int64    `json:"guarded"`
	BoundBy []string `json:"bound_by"`
	Attest  string   `json:"attest,omitempty"` // in the operator's words
}

// Errors of Restore.
var (
	// ErrUnbound: nothing says what was published last.
	ErrUnbound = errors.New("nothing says what this ledger published last")
	// ErrLess: what can be restored is less, or something else, than what was
	// published. A newer backup or mirror may have the rest.
	ErrLess = errors.New("what can be restored is not all that was published")
	// ErrBroken: the backup or the mirror is not what the log signed.
	ErrBroken = errors.New("what is to be restored is broken")
	// ErrKeys: the keys are not there, or don't belong to this log.
	ErrKeys = errors.New("the keys of the ledger")
)

// AttestSentence is what an operator attests who has neither guard nor witnesses.
func AttestSentence(origin string, size int64) string {
	return fmt.Sprintf("no more than %d records of %s were ever published", size, origin)
}

// WasRestored reports whether a directory was restored and not served since.
func WasRestored(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, restoredMark))
	return !errors.Is(err, fs.ErrNotExist)
}

// Attested reports whether a restored directory is bound by the operator's word alone,
// there being neither guard nor witnesses any more.
func Attested(dir string) bool {
	var done Restored
	b, err := os.ReadFile(filepath.Join(dir, restoredMark))
	return err == nil && json.Unmarshal(b, &done) == nil && done.Attest != ""
}

// Settled removes the mark of a restored directory: who serves it has made sure that
// it goes on from what was published last.
func Settled(dir string) error {
	if err := ignoreMissing(os.Remove(filepath.Join(dir, restoredMark))); err != nil {
		return err
	}
	return syncDir(dir)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Restore makes a data directory in a folder that is not there. Every record is
// hashed to a signed checkpoint, opened and judged by the rules, by verify.Audit,
// also those of the backup. Nothing is signed: the new guard holds the largest
// checkpoint that the log is known to have signed, and the restored log extends it.
//
// The error wraps ErrUnbound, ErrLess, ErrBroken, ErrKeys or verify.ErrCheckpoint; or
// ErrWitnesses, or one of the mirror or the disk, where trying again may help. What was
// written is of no use then.
func Restore(ctx context.Context, to string, opt RestoreOptions) (*Restored, error) {
	r := &restorer{to: to, opt: opt, done: Restored{V: 1, At: stamp(time.Now())}}
	if opt.Guard == "" && opt.Witnesses == nil && opt.Attest == "" {
		return nil, ErrUnbound
	}
	err := r.begin()
	defer r.key.close()
	if err != nil {
		return nil, err
	}
	if err := r.collect(ctx); err != nil {
		return nil, err
	}
	log, err := embedded.Open(ctx, embedded.Config{Dir: filepath.Join(to, "log")})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(r.fill(ctx, log), log.Close()); err != nil {
		return nil, err
	}
	return &r.done, r.finish()
}

type restorer struct {
	to     string
	opt    RestoreOptions
	key    *logKey
	own    *verify.Policy // all keys of the log, the one that signs first
	known  []statement    // what is restored must extend all of these
	mirror *statement     // nil without one
	done   Restored
}

// begin makes the folder, and takes over what is not the log.
func (r *restorer) begin() error {
	if err := os.Mkdir(r.to, 0o700); err != nil {
		return err
	}
	if err := create(filepath.Join(r.to, restoredMark), "being restored\n", 0o600); err != nil {
		return err
	}
	if err := checkVersion(r.to); err != nil { // makes it
		return err
	}
	keys, foreign := r.opt.Keys, func(name string) bool {
		kind, _, _ := strings.Cut(name, ".")
		return !slices.Contains([]string{current, current + pq, next, next + pq, "machine"}, kind) && !strings.HasPrefix(kind, "retired-")
	}
	if keys == "" {
		keys, foreign = filepath.Join(r.opt.Backup, "keys"), nil
	}
	if err := copyFolder(keys, filepath.Join(r.to, "keys"), foreign); err != nil {
		return err
	}
	var err error
	if r.own, err = ownPolicy(r.to); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s has no log.key and log.vkey: name the folder that has the keys with --keys", ErrKeys, keys)
	}
	if err == nil {
		r.key, err = readLogKey(r.to, "")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeys, err)
	}
	r.done.Origin = r.own.Logs()[0].Key.Name
	if len(r.opt.Policies) == 0 {
		r.opt.Policies = verify.Policies{r.own}
	}
	if r.opt.Backup == "" {
		return nil
	}
	return r.takeBackup()
}

// takeBackup takes over the log of a backup, not its rules state, which is made
// anew at the next start.
func (r *restorer) takeBackup() error {
	from := r.opt.Backup
	l, err := pebblestore.Look(filepath.Join(from, "log"), nil) // locked meanwhile
	if errors.Is(err, pebblestore.ErrInUse) {
		return inUse(from, err)
	}
	if err != nil {
		return fmt.Errorf("%w: %w. docketd check --data %s tells more; a mirror alone may do", ErrBroken, err, from)
	}
	err = linkFolder(filepath.Join(from, "log"), filepath.Join(r.to, "log"))
	if err := errors.Join(err, l.Close()); err != nil {
		return err
	}
	for _, name := range []string{"checkpoints", "drafts"} {
		if err := copyFolder(filepath.Join(from, name), filepath.Join(r.to, name), nil); err != nil {
			return err
		}
	}
	guard, err := fromGuard(filepath.Join(from, "guard"), "the guard in "+from, r.own)
	switch {
	case err == nil:
		r.known = append(r.known, guard)
	case !errors.Is(err, ledger.ErrGuard): // it may be lost: it is not what binds
		return err
	}
	kept, err := fromKept(from, r.own)
	r.known = append(r.known, kept...)
	return err
}

// linkFolder copies a database that nobody writes to. Tables, which never change,
// are linked where that can be.
func linkFolder(from, to string) error {
	list, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, e := range list {
		a, b := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		if e.Name() == "LOCK" || !e.Type().IsRegular() || strings.HasSuffix(a, ".sst") && os.Link(a, b) == nil {
			continue
		}
		if err := copyFile(a, b); err != nil {
			return err
		}
	}
	return syncDir(to)
}

// collect gathers what the log is known to have signed.
func (r *restorer) collect(ctx context.Context) error {
	if r.opt.Guard != "" {
		s, err := fromGuard(r.opt.Guard, "the guard "+r.opt.Guard, r.own)
		if err != nil {
			return err
		}
		r.known = append(r.known, s)
		r.done.BoundBy = append(r.done.BoundBy, s.who)
	}
	if r.opt.Witnesses != nil {
		all, err := askWitnesses(ctx, r.opt.Witnesses, r.own)
		if err != nil {
			return err
		}
		r.known = append(r.known, all...)
		for _, s := range all {
			r.done.BoundBy = append(r.done.BoundBy, s.who)
		}
	}
	if r.opt.Mirror == nil {
		return nil
	}
	note, err := r.opt.Mirror.ReadFile(ctx, "checkpoint")
	if err != nil {
		return fmt.Errorf("read the mirror's checkpoint: %w", err)
	}
	signed, err := r.own.Open(note)
	if err != nil {
		return fmt.Errorf("%w: the mirror's checkpoint is not one that these keys signed: %w", verify.ErrCheckpoint, err)
	}
	r.mirror = &statement{signed, "the mirror"}
	r.known = append(r.known, *r.mirror)
	return nil
}

// fill brings the log to all that there is, and compares it with what is known.
func (r *restorer) fill(ctx context.Context, log *embedded.Log) error {
	have, err := log.Head(ctx)
	if err != nil {
		return err
	}
	r.done.Kept, r.done.Size = have.Size, have.Size
	src := logSource{log: log, size: have.Size}
	if r.mirror != nil && r.mirror.Checkpoint.Size > have.Size {
		r.done.Size = r.mirror.Checkpoint.Size
		src.beyond = r.opt.Mirror
	}
	if err := r.enough(); err != nil {
		return err
	}
	top, err := r.top(have)
	if err != nil {
		return err
	}
	src.checkpoint = top.Note
	if src.beyond != nil {
		src.checkpoint = r.mirror.Note
	}
	if err := r.audit(ctx, log, src); err != nil {
		return err
	}
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	for _, s := range r.known {
		root, err := tlog.TreeHash(s.Checkpoint.Size, tree.Hashes(ctx, log))
		if err != nil {
			return err
		}
		if root != s.Checkpoint.Root {
			return fmt.Errorf("%w: %s has a checkpoint of %d records with the root %v, and the restored log has the root %v there: the log signed two histories. Keep both. The checkpoint is %q",
				ErrLess, s.who, s.Checkpoint.Size, s.Checkpoint.Root, root, s.Note)
		}
	}
	if head.Size != r.done.Size {
		return fmt.Errorf("%d records were restored, and %d were expected", head.Size, r.done.Size)
	}
	r.done.Root, r.done.Guarded = head.Root.String(), top.Checkpoint.Size
	note, err := r.bare(top.Signed)
	if err != nil {
		return err
	}
	return ledger.CreateGuard(filepath.Join(r.to, "guard"), note)
}

// top returns the largest known checkpoint. If there is none at all, the guard of
// the backup being lost and nobody else having one, it is what the operator attests:
// the log as it is, signed.
func (r *restorer) top(have tree.Head) (*statement, error) {
	var top *statement
	for i, s := range r.known {
		if top == nil || s.Checkpoint.Size > top.Checkpoint.Size {
			top = &r.known[i]
		}
	}
	if top != nil {
		return top, nil
	}
	b, err := verify.Checkpoint{Origin: r.done.Origin, Size: have.Size, Root: have.Root}.Sign(r.key)
	if err != nil {
		return nil, err
	}
	signed, err := r.own.Open(b)
	return &statement{signed, "the operator"}, err
}

// enough refuses what is less than was published.
func (r *restorer) enough() error {
	for _, s := range r.known {
		if s.Checkpoint.Size > r.done.Size {
			return fmt.Errorf("%w: %s has a checkpoint of %d records, and there are only %d. Look for a newer mirror or backup",
				ErrLess, s.who, s.Checkpoint.Size, r.done.Size)
		}
	}
	if r.opt.Attest == "" {
		return nil
	}
	if want := AttestSentence(r.done.Origin, r.done.Size); r.opt.Attest != want {
		return fmt.Errorf("%w, and --attest does not say the sentence that would do, which is %q. Say it only if neither the guard nor any witness can be asked: "+
			"should more have been published, this ledger will show two histories, and whoever has a later receipt or mirror can prove it", ErrUnbound, want)
	}
	r.done.Attest = r.opt.Attest
	r.done.BoundBy = append(r.done.BoundBy, "the operator's word")
	return nil
}

// restoreBatch is how many records are appended at once.
const restoreBatch = 512

// audit judges every record up to the checkpoint of src, and appends those that the
// log does not have.
func (r *restorer) audit(ctx context.Context, log *embedded.Log, src logSource) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var batch [][]byte
	flush := func() {
		if len(batch) == 0 || ctx.Err() != nil {
			return
		}
		if _, err := log.Append(ctx, batch); err != nil {
			cancel(err)
		}
		batch = nil
	}
	var broken error
	var earlier []verify.Signed
	for _, s := range r.known {
		earlier = append(earlier, s.Signed) // none is larger, see top
	}
	policies := append(verify.Policies{}, r.opt.Policies...)
	if src.beyond == nil {
		policies = verify.Policies{r.own} // a guard has no cosignatures
	}
	sum, err := policies.Audit(ctx, src, verify.AuditOptions{
		Earlier:  earlier,
		Progress: r.opt.Progress,
		Each: func(index int64, rec record.Checked, _ rules.Standing) {
			if index < src.size {
				return
			}
			if batch = append(batch, rec.Bytes()); len(batch) == restoreBatch {
				flush()
			}
		},
		Found: func(f verify.Finding) {
			if f.Severity == verify.Broken && broken == nil {
				broken = fmt.Errorf("%w: %s %s", ErrBroken, f.Code, f.Detail)
				if f.Index >= 0 {
					broken = fmt.Errorf("%w at record %d: %s %s", ErrBroken, f.Index, f.Code, f.Detail)
				}
			}
			if r.opt.Found != nil {
				r.opt.Found(f)
			}
		},
	})
	flush()
	switch cause := context.Cause(ctx); {
	case broken != nil:
		return broken
	case cause != nil:
		return cause
	case err != nil:
		return err
	case sum.Broken > 0:
		return ErrBroken
	}
	return nil
}

// finish writes what was done into the mark.
func (r *restorer) finish() error {
	b, err := json.Marshal(r.done)
	if err != nil {
		return err
	}
	path := filepath.Join(r.to, restoredMark)
	if err := create(path+".new", string(b)+"\n", 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(r.to)
}

// A logSource is the log that is being restored: what it had at the start, then
// what the mirror has.
type logSource struct {
	log        tree.Log
	size       int64
	checkpoint []byte
	beyond     verify.Source // nil if there is none
}

// ReadFile implements verify.Source.
func (s logSource) ReadFile(ctx context.Context, path string) ([]byte, error) {
	if path == "checkpoint" {
		return s.checkpoint, nil
	}
	id, err := tile.ParsePath(path)
	switch {
	case err == nil && id.Width <= tile.Width(id.Level, id.N, s.size):
		return tree.File(ctx, s.log, id)
	case s.beyond != nil:
		return s.beyond.ReadFile(ctx, path)
	}
	return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
}
