package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/verify"
)

// ErrAltered is returned by Verify for an export that is not as it was written.
var ErrAltered = errors.New("the export does not hold")

// most is how large a manifest may be, in bytes.
const most = 16 << 20

// Verify checks that a folder is as an export left it: that each file is there with
// its hash, and nothing else; and that the manifest says what its checkpoint says,
// which must satisfy one of the policies if there are some. It returns the manifest.
// The error wraps ErrAltered and says which file is wrong and how; any other means
// that it could not be found out.
func Verify(dir fs.FS, policies verify.Policies) (*Manifest, error) {
	text, err := readSmall(dir, manifestName)
	if err != nil {
		return nil, err
	}
	sums, err := readSmall(dir, sumsName)
	if err != nil {
		return nil, err
	}
	m := &Manifest{}
	if err := json.Unmarshal(text, m, json.RejectUnknownMembers(true)); err != nil {
		return nil, altered(manifestName, "it is no manifest of this version: %v", err)
	}
	if m.V != 1 {
		return nil, altered(manifestName, "it is of version %d, want 1", m.V)
	}
	if !bytes.Equal(sums, m.sums(text)) {
		return nil, altered(sumsName, "it does not name the files and hashes of %s: one of the two was changed", manifestName)
	}
	if err := m.checkLog(policies); err != nil {
		return nil, err
	}
	if err := m.complete(dir); err != nil {
		return nil, err
	}
	for _, f := range m.Files {
		if err := f.check(dir); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func altered(name, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrAltered, name, fmt.Sprintf(format, args...))
}

// readSmall reads a file that every export has.
func readSmall(dir fs.FS, name string) ([]byte, error) {
	f, err := dir.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, altered(name, "it is missing; want a folder that docket-mirror export has written")
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(b) > most {
		err = altered(name, "it is larger than %d bytes", most)
	}
	return b, err
}

// checkLog compares what the manifest says of the log with its checkpoint.
func (m *Manifest) checkLog(policies verify.Policies) error {
	text, _, _ := strings.Cut(m.Checkpoint, "\n\n") // before the signatures
	cp, err := verify.ParseCheckpoint(text + "\n")
	if err != nil {
		return altered(manifestName, "its checkpoint does not parse: %v", err)
	}
	if cp.Origin != m.Origin || cp.Size != m.Size || cp.Root.String() != m.Root {
		return altered(manifestName, "it names %s, %d records, root %s, and its checkpoint %s, %d, %v", m.Origin, m.Size, m.Root, cp.Origin, cp.Size, cp.Root)
	}
	if len(policies) == 0 {
		return nil
	}
	if _, err := policies.Open([]byte(m.Checkpoint)); err != nil {
		return altered(manifestName, "its checkpoint does not satisfy the trust policy: %v", err)
	}
	return nil
}

// complete compares what is in the folder with what should be.
func (m *Manifest) complete(dir fs.FS) error {
	want := []string{manifestName, sumsName}
	for _, f := range m.Files {
		want = append(want, f.Name)
	}
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		i := slices.Index(want, e.Name())
		switch {
		case i < 0:
			return altered(e.Name(), "it is no file of the export")
		case !e.Type().IsRegular():
			return altered(e.Name(), "it is not a plain file")
		}
		want = slices.Delete(want, i, i+1)
	}
	if len(want) > 0 {
		return altered(want[0], "it is missing")
	}
	return nil
}

func (f FileInfo) check(dir fs.FS) error {
	in, err := dir.Open(f.Name)
	if err != nil {
		return err
	}
	defer in.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, in)
	switch got := hex.EncodeToString(sum.Sum(nil)); {
	case err != nil:
		return err
	case n != f.Size:
		return altered(f.Name, "it has %d bytes, and the manifest says %d", n, f.Size)
	case got != f.SHA256:
		return altered(f.Name, "its SHA-256 is %s, and the manifest says %s", got, f.SHA256)
	}
	return nil
}
