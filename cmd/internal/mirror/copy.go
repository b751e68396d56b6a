package mirror

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
)

// A copier brings every file of one tree into a folder.
type copier struct {
	cfg    Config
	folder *folder
	tree   *verify.Tree
	known  int64 // the size of a tree whose files are there, of which this is a part or the other way round
	total  int64 // files that are to be checked

	mu            sync.Mutex
	done, fetched int64           // files
	bad           map[string]bool // that the folder has and that are not those of the tree
	absent        map[string]bool // that the folder does not have and that were read, until they are written
}

func newCopier(cfg Config, f *folder, signed verify.Signed, known int64) *copier {
	c := &copier{cfg: cfg, folder: f, known: known, total: countNew(known, signed.Checkpoint.Size), bad: map[string]bool{}, absent: map[string]bool{}}
	c.tree = signed.Tree(c)
	return c
}

// run copies, with as many workers as files may be fetched at once. It returns
// once all of them have ended, with the first error.
func (c *copier) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ids := make(chan tile.ID)
	var workers sync.WaitGroup
	for range c.cfg.Parallel {
		workers.Go(func() {
			for id := range ids {
				if err := c.copy(ctx, id); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for id := range newFiles(c.known, c.tree.Checkpoint().Size) {
		select {
		case ids <- id:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(ids)
	workers.Wait()
	return context.Cause(ctx)
}

// copy checks one file and writes it if the folder does not have it.
func (c *copier) copy(ctx context.Context, id tile.ID) error {
	b, err := c.checked(ctx, id)
	if err != nil {
		return err
	}
	missing := c.isAbsent(id.Path())
	if !missing {
		have, err := c.folder.ReadFile(ctx, id.Path())
		missing = err != nil || !bytes.Equal(have, b)
	}
	if missing {
		if err := c.folder.write(id.Path(), b); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.done++
	if missing {
		c.fetched++
	}
	done, fetched := c.done, c.fetched
	c.mu.Unlock()
	if c.cfg.Progress != nil {
		c.cfg.Progress(done, c.total, fetched)
	}
	return nil
}

// isAbsent reports whether the folder was found not to have a file, once.
func (c *copier) isAbsent(path string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	absent := c.absent[path]
	delete(c.absent, path)
	return absent
}

// checked returns a file of the tree. Where what the folder has is not of the
// tree, that is what the log is asked for, and the tree again.
func (c *copier) checked(ctx context.Context, id tile.ID) ([]byte, error) {
	for {
		before := c.distrusted(nil)
		b, err := c.tree.File(ctx, id)
		if err == nil || c.distrusted(err) == before {
			return b, err
		}
	}
}

// distrusted notes which files of the folder an error of the tree is about, and
// returns how many there are so far. If there are more than before a file was
// read, it may have been read from the folder: the log itself may be right.
func (c *copier) distrusted(err error) int {
	var file *verify.FileError
	var entry *verify.EntryError
	var paths []string
	switch {
	case errors.As(err, &entry):
		paths = []string{entry.Path}
	case errors.As(err, &file):
		paths = strings.Split(file.Path, ", ")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, path := range paths {
		if c.folder.has(path) {
			c.bad[path] = true
		}
	}
	return len(c.bad)
}

// ReadFile implements verify.Source for the tree: what is in the folder, unless
// it was found to be bad, else what the log has.
func (c *copier) ReadFile(ctx context.Context, path string) ([]byte, error) {
	c.mu.Lock()
	bad := c.bad[path]
	c.mu.Unlock()
	if !bad {
		b, err := c.folder.ReadFile(ctx, path)
		if err == nil {
			return b, nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			c.mu.Lock()
			c.absent[path] = true
			c.mu.Unlock()
		}
	}
	return c.cfg.Source.ReadFile(ctx, path)
}
