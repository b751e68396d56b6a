package ledger

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/docket-ledger/docket/verify"
)

// kept are the witnessed checkpoints in a directory, outside of the database:
//
//	newest              the newest one, replaced as a whole
//	0000000000000042    the first one of size 42, and so on for each size
//	former, damaged     what was newest and is not used any more
//
// Those older than a month are thinned to one an hour. How old one is says the
// time of its file, which is set to that of the cosignatures; all is measured
// against the newest one, not against the clock of this machine, which may be
// wrong.
type kept struct {
	dir string

	mu     sync.Mutex
	sizes  []int64 // sorted
	latest int64   // the size of newest, 0 if there is none
	now    int64   // the greatest time of cosignatures since the start, seconds since 1970
	thinAt int64   // when to thin again
	hour   int64   // the hour of the last one that was thinned and stayed
	thin0  int64   // smaller ones have been thinned
}

// The names of what is not a size.
const (
	newestName = "newest"
	former     = "former"
	damaged    = "damaged"
)

// How long all are kept, and how often it is thinned, in seconds.
const (
	keepAll   = 30 * 24 * 3600
	thinEvery = 3600
)

func openKept(dir string) (*kept, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	k := &kept{dir: dir}
	for _, f := range files {
		if size, err := strconv.ParseInt(f.Name(), 10, 64); err == nil && sizeName(size) == f.Name() {
			k.sizes = append(k.sizes, size)
		}
	}
	slices.Sort(k.sizes)
	return k, nil
}

func sizeName(size int64) string { return fmt.Sprintf("%016d", size) }

// newest reads the newest one; the error wraps fs.ErrNotExist if there is none.
func (k *kept) newest() ([]byte, error) { return k.read(newestName) }

func (k *kept) read(name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(k.dir, name))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, verify.MaxNote+1))
	return b, errors.Join(err, f.Close())
}

// setAside gives newest another name.
func (k *kept) setAside(name string) error {
	if err := os.Rename(filepath.Join(k.dir, newestName), filepath.Join(k.dir, name)); err != nil {
		return err
	}
	return syncDir(k.dir)
}

// put keeps a checkpoint that was cosigned at a time, in seconds since 1970 or 0:
// under its size, if there is none, and as the newest, if there is none that is
// larger.
func (k *kept) put(s verify.Signed, at int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	size := s.Checkpoint.Size
	k.now = max(k.now, at)
	i, have := slices.BinarySearch(k.sizes, size)
	if !have {
		if err := k.replace(sizeName(size), s.Note, at); err != nil {
			return err
		}
	}
	if size >= k.latest {
		if err := k.replace(newestName, s.Note, at); err != nil {
			return err
		}
	}
	if err := syncDir(k.dir); err != nil {
		return err
	}
	if !have {
		k.sizes = slices.Insert(k.sizes, i, size)
	}
	k.latest = max(k.latest, size)
	return nil
}

// replace writes a file that is there as a whole or as it was before.
func (k *kept) replace(name string, note []byte, at int64) error {
	path := filepath.Join(k.dir, name)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(note)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if at > 0 {
		if err := os.Chtimes(path+".new", time.Time{}, time.Unix(at, 0)); err != nil {
			return err
		}
	}
	return os.Rename(path+".new", path)
}

// covering returns the first one whose size is above index and that check lets
// pass.
func (k *kept) covering(index int64, check func(note []byte) error) ([]byte, error) {
	k.mu.Lock()
	i, _ := slices.BinarySearch(k.sizes, index+1)
	above := slices.Clone(k.sizes[i:min(i+8, len(k.sizes))])
	k.mu.Unlock()
	var failed error
	for _, size := range above {
		note, err := k.read(sizeName(size))
		if err == nil {
			err = check(note)
		}
		if err == nil {
			return note, nil
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %v", sizeName(size), err)) // thinned this moment, or damaged: the next one covers it, too
	}
	if failed != nil {
		return nil, failed
	}
	return nil, fmt.Errorf("no witnessed checkpoint covers record %d yet: %w", index, fs.ErrNotExist)
}

// thin removes what is older than a month and not the first of its hour, at most
// once an hour.
func (k *kept) thin() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now < k.thinAt {
		return nil
	}
	k.thinAt = k.now + thinEvery
	stay := k.sizes[:0:0]
	for i, size := range k.sizes {
		if size < k.thin0 {
			stay = append(stay, size)
			continue
		}
		path := filepath.Join(k.dir, sizeName(size))
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		at := info.ModTime().Unix()
		if at >= k.now-keepAll {
			stay = append(stay, k.sizes[i:]...)
			break
		}
		k.thin0 = size + 1
		if hour := at / 3600; hour != k.hour {
			k.hour = hour
			stay = append(stay, size)
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	k.sizes = stay
	return nil
}
