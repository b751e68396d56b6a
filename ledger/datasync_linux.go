package ledger

import (
	"os"
	"syscall"
)

// datasync waits until what was written to blocks that exist is on the disk.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
