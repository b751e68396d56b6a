package pebblestore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Admin returns the storage.AdminStorage of the store.
func (s *Store) Admin() storage.AdminStorage { return adminStorage{s} }

type adminStorage struct{ s *Store }

// CheckDatabaseAccessible implements storage.AdminStorage.
func (a adminStorage) CheckDatabaseAccessible(ctx context.Context) error {
	return logStorage(a).CheckDatabaseAccessible(ctx)
}

// Snapshot implements storage.AdminStorage.
func (a adminStorage) Snapshot(context.Context) (storage.ReadOnlyAdminTX, error) {
	return &adminTX{s: a.s, reader: a.s.db.NewSnapshot()}, nil
}

// ReadWriteTransaction implements storage.AdminStorage. One runs at a time.
func (a adminStorage) ReadWriteTransaction(ctx context.Context, f storage.AdminTXFunc) error {
	a.s.admin.Lock()
	defer a.s.admin.Unlock()
	b := a.s.db.NewIndexedBatch()
	tx := &adminTX{s: a.s, reader: b, batch: b}
	err := f(ctx, tx)
	if err == nil && !b.Empty() {
		err = b.Commit(pebble.Sync)
	}
	if err == nil {
		a.s.forget(tx.removed)
	}
	return errors.Join(err, tx.Close())
}

// forget drops what is known of trees that are gone.
func (s *Store) forget(ids []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.trees, id)
	}
}

// adminTX reads from a snapshot or from the batch that it writes.
type adminTX struct {
	s      *Store
	reader interface {
		pebble.Reader
		Close() error
	}
	batch   *pebble.Batch
	removed []int64
	closed  bool
}

// Commit implements storage.ReadOnlyAdminTX.
func (tx *adminTX) Commit() error { return tx.Close() }

// Close implements storage.ReadOnlyAdminTX; it may be called again.
func (tx *adminTX) Close() error {
	if tx.closed {
		return nil
	}
	tx.closed = true
	return tx.reader.Close()
}

func (tx *adminTX) row(id int64) ([]byte, error) {
	v, closer, err := tx.reader.Get(treeKey(id))
	if notFound(err) {
		return nil, status.Errorf(codes.NotFound, "tree %d not found", id)
	}
	if err != nil {
		return nil, damage(err)
	}
	v = bytes.Clone(v)
	return v, closer.Close()
}

// GetTree implements storage.ReadOnlyAdminTX.
func (tx *adminTX) GetTree(_ context.Context, id int64) (*trillian.Tree, error) {
	row, err := tx.row(id)
	if err != nil {
		return nil, err
	}
	return parseTree(row)
}

// ListTrees implements storage.ReadOnlyAdminTX.
func (tx *adminTX) ListTrees(_ context.Context, includeDeleted bool) ([]*trillian.Tree, error) {
	it, err := tx.reader.NewIter(&pebble.IterOptions{LowerBound: []byte{'T'}, UpperBound: []byte{'T' + 1}})
	if err != nil {
		return nil, err
	}
	var out []*trillian.Tree
	for ok := it.First(); ok; ok = it.Next() {
		t, err := parseTree(it.Value())
		if err != nil {
			return nil, errors.Join(err, it.Close())
		}
		if includeDeleted || !t.Deleted {
			out = append(out, t)
		}
	}
	return out, damage(it.Close())
}

// CreateTree implements storage.AdminWriter.
func (tx *adminTX) CreateTree(ctx context.Context, tree *trillian.Tree) (*trillian.Tree, error) {
	if err := storage.ValidateTreeForCreation(ctx, tree); err != nil {
		return nil, err
	}
	id, err := tx.newID()
	if err != nil {
		return nil, err
	}
	number, err := tx.newNumber()
	if err != nil {
		return nil, err
	}
	t := proto.Clone(tree).(*trillian.Tree)
	t.TreeId = id
	t.CreateTime = timestamppb.New(time.Now().Truncate(time.Millisecond))
	t.UpdateTime = proto.Clone(t.CreateTime).(*timestamppb.Timestamp)
	return t, tx.put(t, number)
}

// newID picks a random positive id that is free.
func (tx *adminTX) newID() (int64, error) {
	for {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return 0, err
		}
		id := int64(binary.BigEndian.Uint64(b[:]) >> 1)
		if _, err := tx.row(id); status.Code(err) == codes.NotFound && id != 0 {
			return id, nil
		} else if err != nil {
			return 0, err
		}
	}
}

// newNumber returns the next number of a tree; numbers are not used again.
func (tx *adminTX) newNumber() (uint32, error) {
	key := []byte{'C'}
	v, closer, err := tx.reader.Get(key)
	n := uint32(0)
	switch {
	case err == nil:
		if len(v) == 4 {
			n = binary.BigEndian.Uint32(v)
		}
		if err := closer.Close(); err != nil {
			return 0, err
		}
	case !notFound(err):
		return 0, err
	}
	n++
	return n, tx.batch.Set(key, binary.BigEndian.AppendUint32(nil, n), nil)
}

func (tx *adminTX) put(t *trillian.Tree, number uint32) error {
	b, err := proto.Marshal(t)
	if err != nil {
		return err
	}
	return tx.batch.Set(treeKey(t.TreeId), append(binary.BigEndian.AppendUint32(nil, number), b...), nil)
}

// change reads a tree, lets f change it, and writes it back.
func (tx *adminTX) change(id int64, f func(*trillian.Tree) error) (*trillian.Tree, error) {
	row, err := tx.row(id)
	if err != nil {
		return nil, err
	}
	t, err := parseTree(row)
	if err != nil {
		return nil, err
	}
	if err := f(t); err != nil {
		return nil, err
	}
	return t, tx.put(t, binary.BigEndian.Uint32(row))
}

// UpdateTree implements storage.AdminWriter.
func (tx *adminTX) UpdateTree(ctx context.Context, id int64, f func(*trillian.Tree)) (*trillian.Tree, error) {
	return tx.change(id, func(t *trillian.Tree) error {
		before := proto.Clone(t).(*trillian.Tree)
		f(t)
		if err := storage.ValidateTreeForUpdate(ctx, before, t); err != nil {
			return err
		}
		t.UpdateTime = timestamppb.New(time.Now().Truncate(time.Millisecond))
		return nil
	})
}

// SoftDeleteTree implements storage.AdminWriter.
func (tx *adminTX) SoftDeleteTree(_ context.Context, id int64) (*trillian.Tree, error) {
	return tx.change(id, func(t *trillian.Tree) error {
		if t.Deleted {
			return status.Errorf(codes.FailedPrecondition, "tree %d is soft deleted already", id)
		}
		t.Deleted = true
		t.DeleteTime = timestamppb.New(time.Now().Truncate(time.Millisecond))
		return nil
	})
}

// UndeleteTree implements storage.AdminWriter.
func (tx *adminTX) UndeleteTree(_ context.Context, id int64) (*trillian.Tree, error) {
	return tx.change(id, func(t *trillian.Tree) error {
		if !t.Deleted {
			return status.Errorf(codes.FailedPrecondition, "tree %d is not soft deleted", id)
		}
		t.Deleted, t.DeleteTime = false, nil
		return nil
	})
}

// HardDeleteTree implements storage.AdminWriter. It removes all rows of the tree.
func (tx *adminTX) HardDeleteTree(_ context.Context, id int64) error {
	row, err := tx.row(id)
	if err != nil {
		return err
	}
	t, err := parseTree(row)
	if err != nil {
		return err
	}
	if !t.Deleted {
		return status.Errorf(codes.FailedPrecondition, "tree %d is not soft deleted", id)
	}
	gone := &tree{number: binary.BigEndian.Uint32(row)}
	for _, kind := range []byte("RLIHMnQ") {
		p := gone.prefix(kind)
		if err := tx.batch.DeleteRange(p, prefixEnd(p), nil); err != nil {
			return err
		}
	}
	tx.removed = append(tx.removed, id)
	return tx.batch.Delete(treeKey(id), nil)
}
