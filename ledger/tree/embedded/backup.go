package embedded

import (
	"context"
	"time"
)

// Backup copies the log as it is at some time while Backup runs into dir, which
// must not be there; appends go on. On the file system of the log the copy shares
// its tables, which never change, with the log. ctx is looked at before it begins.
func (l *Log) Backup(ctx context.Context, dir string) error {
	if err := l.begin(ctx); err != nil {
		return err
	}
	defer l.use.RUnlock()
	return l.store.Backup(dir)
}

// Time returns when the newest head came to be, by the clock of this machine.
func (l *Log) Time(ctx context.Context) (time.Time, error) {
	if err := l.begin(ctx); err != nil {
		return time.Time{}, err
	}
	defer l.use.RUnlock()
	root, err := l.store.Root(l.tree.TreeId)
	return time.Unix(0, int64(root.TimestampNanos)), err
}
