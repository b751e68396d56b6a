//go:build peers

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPeerDisk copies onto a real file system, one in memory, that becomes full and
// then read-only: the mirror says so, nothing false gets a final name, and when there
// is room again it goes on. It needs root, to mount one.
func TestPeerDisk(t *testing.T) {
	o := newOperator(t)
	source := o.log(5*256+7, "one") // 6 bundles of some 4 KB, 6 tiles of up to 8 KB
	url := serve(t, os.DirFS(source))
	disk := t.TempDir()
	mount(t, disk, 0, "size=48k")
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(disk, "mirror")
	sync := func() (int, error) {
		code, _, err := run(t.Context(), "sync", "--policy", o.policy, url, dir)
		return code, err
	}
	says := func(code int, err error, what string) {
		t.Helper()
		if code != 3 || err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("exit %d, %v; want 3 and %q", code, err, what)
		}
	}

	code, err := sync()
	says(code, err, "no space left on device")
	if _, err := os.Stat(filepath.Join(dir, "checkpoint")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a checkpoint of what is not there: %v", err)
	}
	sound(t, dir, os.DirFS(source))

	mount(t, disk, syscall.MS_REMOUNT, "size=4m")
	if code, err := sync(); code != 0 {
		t.Fatalf("with room again: exit %d, %v", code, err)
	}
	sound(t, dir, os.DirFS(source))

	mount(t, disk, syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	code, err = sync()
	says(code, err, "read-only file system")
	sound(t, dir, os.DirFS(source))
}

func mount(t *testing.T, dir string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Fatalf("mount a file system of its own: %v", err)
	}
}
