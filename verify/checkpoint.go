package verify

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxSize is the largest log, in entries: 2^53-1, the largest integer that a
// record can name.
const MaxSize int64 = 1<<53 - 1

// EmptyRoot is the root of the empty tree: SHA-256 of nothing.
var EmptyRoot = tlog.Hash(sha256.Sum256(nil))

// A Checkpoint names a log and its tree at one size. It is a claim: only
// Policy.Open says that a log made it.
type Checkpoint struct {
	Origin string    // the log's name, which is also that of its key
	Size   int64     // entries, at most MaxSize
	Root   tlog.Hash // RFC 6962, Section 2.1
}

// Text returns the text that is signed, three lines.
func (c Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// ParseCheckpoint accepts exactly what Text prints for a valid checkpoint.
// Extension lines are refused.
func ParseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, fmt.Errorf("checkpoint: %d line ends, want three lines", len(lines)-1)
	}
	if err := checkName(lines[0]); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: origin: %w", err)
	}
	if len(lines[0]) > maxName {
		return Checkpoint{}, fmt.Errorf("checkpoint: an origin of %d bytes, the most is %d", len(lines[0]), maxName)
	}
	size, err := parseInt(lines[1])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint of %s: size: %w", lines[0], err)
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint of %s: root: %w", lines[0], err)
	}
	if size == 0 && root != EmptyRoot {
		return Checkpoint{}, fmt.Errorf("checkpoint of %s: size 0 with root %v, that of the empty tree is %v", lines[0], root, EmptyRoot)
	}
	return Checkpoint{lines[0], size, root}, nil
}

// Sign returns c as a note signed by signers, in this order; the name of each must
// be c.Origin, and the first has to be of Ed25519 in a log that others read. The
// other errors are those of the signers, or say that c is not a checkpoint that
// ParseCheckpoint accepts.
func (c Checkpoint) Sign(signers ...note.Signer) ([]byte, error) {
	text := c.Text()
	if _, err := ParseCheckpoint(text); err != nil {
		return nil, err
	}
	for _, s := range signers {
		if s.Name() != c.Origin {
			return nil, fmt.Errorf("checkpoint of %s: the signer's name is %s", c.Origin, s.Name())
		}
	}
	signed, err := note.Sign(&note.Note{Text: text}, signers...)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint of %s: %w", c.Origin, err)
	}
	return signed, nil
}

// parseInt reads a size or an index: decimal, no sign, no leading zero, at most
// MaxSize.
func parseInt(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > MaxSize || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("%.40q is not a number from 0 to %d without leading zeros", s, MaxSize)
	}
	return n, nil
}

func parseHash(s string) (tlog.Hash, error) {
	b, err := decode64(s)
	if err != nil || len(b) != tlog.HashSize {
		return tlog.Hash{}, errors.New("not the base64 of 32 bytes")
	}
	return tlog.Hash(b), nil
}
