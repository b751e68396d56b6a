package tables

import "github.com/cockroachdb/pebble/v2/vfs"

// Free returns how many bytes are free for this process on the disk that a
// directory is on.
func Free(dir string) (uint64, error) {
	usage, err := vfs.Default.GetDiskUsage(dir)
	return usage.AvailBytes, err
}
