package pebblestore_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/storage/testonly"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// TestNewDirectoriesSurvive: what is committed in a directory that Open made,
// with its parents, is there after a crash.
func TestNewDirectoriesSurvive(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s, err := pebblestore.Open("a/b/c", pebblestore.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := storage.CreateTree(t.Context(), s.Admin(), testonly.LogTree)
	if err != nil {
		t.Fatal(err)
	}
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = pebblestore.Open("a/b/c", pebblestore.Options{FS: crashed})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := storage.GetTree(t.Context(), s.Admin(), tree.TreeId); err != nil {
		t.Errorf("after the crash: %v", err)
	}
}
