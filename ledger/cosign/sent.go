package cosign

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
)

const sentName = "sent.json"

// A sentFile is what was last sent to each witness. A log that has less has been
// set back.
type sentFile struct {
	path   string
	origin string
	by     map[string]sent // by keyName
}

// sent is what was sent to one witness.
type sent struct {
	Size int64
	Root tlog.Hash
	Time int64 // seconds since 1970
	// Cosigned is the size of its newest cosignature, 0 if there was none.
	Cosigned int64
}

// sentJSON is the file.
type sentJSON struct {
	V         int64         `json:"v"`
	Origin    string        `json:"origin"`
	Witnesses []witnessJSON `json:"witnesses"`
}

type witnessJSON struct {
	Key      string `json:"key"` // name+id of the verifier key
	Size     int64  `json:"size"`
	Root     string `json:"root"` // standard base64
	Time     int64  `json:"time"`
	Cosigned int64  `json:"cosigned"`
}

// keyName names the key of a witness in the file.
func keyName(k verify.VKey) string { return fmt.Sprintf("%s+%08x", k.Name, k.ID()) }

// openSent reads the file, if there is one. One that is damaged is set aside: the
// guard protects from a log that was set back, too, and the witnesses will tell
// what they have.
func openSent(path, origin string, log *slog.Logger) (sentFile, error) {
	s := sentFile{path: path, origin: origin, by: map[string]sent{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := s.parse(b); err != nil {
		log.Warn("what was sent to the witnesses can't be read and is set aside", slog.String("path", path), slog.Any("error", err))
		clear(s.by)
		return s, os.Rename(path, path+".damaged")
	}
	return s, nil
}

func (s *sentFile) parse(b []byte) error {
	var f sentJSON
	if err := json.Unmarshal(b, &f, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	if f.V != 1 || f.Origin != s.origin {
		return fmt.Errorf("version %d of the log %q, want 1 of %q", f.V, f.Origin, s.origin)
	}
	for _, w := range f.Witnesses {
		root, err := tlog.ParseHash(w.Root)
		if err != nil || w.Size < 0 || w.Size > verify.MaxSize {
			return fmt.Errorf("size %d, root %q", w.Size, w.Root)
		}
		s.by[w.Key] = sent{w.Size, root, w.Time, w.Cosigned}
	}
	return nil
}

// save writes the file durably.
func (s *sentFile) save() error {
	f := sentJSON{V: 1, Origin: s.origin, Witnesses: []witnessJSON{}}
	for key, w := range s.by {
		f.Witnesses = append(f.Witnesses, witnessJSON{key, w.Size, w.Root.String(), w.Time, w.Cosigned})
	}
	slices.SortFunc(f.Witnesses, func(a, b witnessJSON) int { return strings.Compare(a.Key, b.Key) })
	b, err := json.Marshal(f, jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	return replaceFile(s.path, append(b, '\n'))
}

// replaceFile writes a file so that after a crash it has the old contents or the
// new ones; it is on the disk when replaceFile returns.
func replaceFile(path string, b []byte) error {
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// keepEvidence writes evidence to a file named after its contents, beside
// sent.json, and returns its path.
func (c *Cosigner) keepEvidence(e verify.Evidence) (string, error) {
	b, err := e.Marshal()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	path := filepath.Join(c.cfg.Dir, fmt.Sprintf("evidence-%x.json", sum[:8]))
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, b) {
		return path, nil
	}
	return path, replaceFile(path, b)
}
