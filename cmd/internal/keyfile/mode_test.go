//go:build unix

package keyfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/cmd/internal/keyfile"
)

// TestMode: a file that others may read is refused, with what to do.
func TestMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	key, err := keyfile.New(keyfile.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyfile.Write(path, key, nil); err != nil {
		t.Fatal(err)
	}
	for mode, good := range map[fs.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o644: false, 0o620: false, 0o601: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := keyfile.Read(path, nil)
		if good != (err == nil) || !good && (!errors.Is(err, keyfile.ErrMode) || !strings.Contains(err.Error(), "chmod 600 "+path)) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}
