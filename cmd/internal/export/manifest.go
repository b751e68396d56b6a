package export

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// The files that each export has.
const (
	manifestName = "manifest.json"
	sumsName     = "SHA256SUMS"
)

// A Manifest says what an export is.
type Manifest struct {
	V      int64  `json:"v"` // 1
	Format string `json:"format"`
	// Origin, Size and Root are those of Checkpoint, the signed note that the
	// export was computed from.
	Origin     string `json:"origin"`
	Size       int64  `json:"size"`
	Root       string `json:"root"`
	Checkpoint string `json:"checkpoint"`
	// AsOf is as of when statuses are told: the greatest time that the log proves.
	// Witnessed says that witnesses vouch for it, not only signers.
	AsOf      record.Time `json:"as_of"`
	Witnessed bool        `json:"witnessed"`
	Tool      string      `json:"tool"`
	Made      record.Time `json:"made"`
	// Counts are, for dsa, how many records became what; see docs/dsa.md.
	Counts map[string]int64 `json:"counts,omitempty"`
	// Files are all but manifest.json and SHA256SUMS, sorted by name.
	Files []FileInfo `json:"files"`
}

// FileInfo is what a manifest says of a file.
type FileInfo struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // hexadecimal
	Size   int64  `json:"size"`   // in bytes
	// Rows counts records in it, or decisions; see docs/exports.md.
	Rows int64 `json:"rows"`
}

func (c Config) manifest(sum *verify.Summary, files []FileInfo) *Manifest {
	cp := sum.Signed.Checkpoint
	return &Manifest{V: 1, Format: c.Format.Name, Origin: cp.Origin, Size: cp.Size, Root: cp.Root.String(), Checkpoint: string(sum.Signed.Note),
		AsOf: record.Time(sum.Time), Witnessed: sum.Witnessed, Tool: c.Tool, Made: c.Made, Files: files}
}

func (m *Manifest) encode() ([]byte, error) {
	b, err := json.Marshal(m, jsontext.WithIndent("  "), json.Deterministic(true))
	return append(b, '\n'), err
}

// sums is what sha256sum -c reads; it covers the text of the manifest, too.
func (m *Manifest) sums(text []byte) []byte {
	var b strings.Builder
	for _, f := range m.Files {
		fmt.Fprintf(&b, "%s  %s\n", f.SHA256, f.Name)
	}
	fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(text), manifestName)
	return []byte(b.String())
}
