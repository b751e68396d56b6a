package mirror

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/docket-ledger/docket/verify"
)

// keptDir has the checkpoints with cosignatures by witnesses of the policy, the
// first one of each size, in files that are named like the ledger names its own:
// the size in 16 digits. The time of a file is that of its newest cosignature.
// Those older than a month, measured against the newest, are thinned to one an
// hour.
const (
	keptDir = "checkpoints"
	keepAll = 30 * 24 * time.Hour
)

// KeptName names the kept checkpoint of a size within the folder.
func KeptName(size int64) string { return fmt.Sprintf("%s/%016d", keptDir, size) }

// Kept lists the sizes of the checkpoints that a folder has kept, sorted.
func Kept(fsys fs.FS) ([]int64, error) {
	list, err := fs.ReadDir(fsys, keptDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var sizes []int64
	for _, e := range list {
		if size, err := strconv.ParseInt(e.Name(), 10, 64); err == nil && KeptName(size) == keptDir+"/"+e.Name() {
			sizes = append(sizes, size)
		}
	}
	slices.Sort(sizes)
	return sizes, err
}

// keep keeps a checkpoint if witnesses have cosigned it. last is the one that the
// folder had before: once an hour the old ones are thinned.
func (f *folder) keep(signed verify.Signed, last []byte) error {
	name := KeptName(signed.Checkpoint.Size)
	at := newest(signed)
	if at.IsZero() || f.has(name) {
		return nil
	}
	if err := f.write(name, signed.Note); err != nil {
		return err
	}
	if err := os.Chtimes(f.path(name), time.Time{}, at); err != nil {
		return err
	}
	if info, err := os.Stat(f.path(checkpoint)); last != nil && err == nil && sameHour(info.ModTime(), time.Now()) {
		return nil
	}
	return f.thin(at.Add(-keepAll))
}

// newest returns the time of the newest cosignature, or now where that lies ahead;
// the zero time if there is none that says it.
func newest(signed verify.Signed) time.Time {
	var at int64
	for _, c := range signed.Cosignatures {
		at = max(at, c.Time)
	}
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(min(at, time.Now().Unix()), 0)
}

func sameHour(a, b time.Time) bool { return a.Truncate(time.Hour).Equal(b.Truncate(time.Hour)) }

// thin leaves of those from before a time the first of each hour.
func (f *folder) thin(before time.Time) error {
	sizes, err := Kept(os.DirFS(f.dir))
	if err != nil {
		return err
	}
	var hour time.Time
	for _, size := range sizes {
		path := f.path(KeptName(size))
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		at := info.ModTime()
		if !at.Before(before) {
			return nil
		}
		if !sameHour(at, hour) {
			hour = at
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		f.touched(filepath.Dir(path))
	}
	return nil
}
