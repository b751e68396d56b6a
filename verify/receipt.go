package verify

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// ReceiptType is the media type of a receipt in HTTP.
	ReceiptType = "text/plain; charset=utf-8"

	// MaxReceipt is the largest receipt that is read, in bytes.
	MaxReceipt = 1 << 20

	// maxProof is the longest inclusion proof of a log of MaxSize.
	maxProof = 53

	receiptHeader = "c2sp.org/tlog-proof@v1\n"
)

// A Receipt is a proof file of c2sp.org/tlog-proof, suffix .tlog-proof:
//
//	c2sp.org/tlog-proof@v1
//	extra <base64>
//	index <n>
//	<base64 of a hash>, from the leaf to the root
//
//	<signed checkpoint>
//
// The extra line is there if there is extra data.
//
// A Receipt says nothing before its checkpoint was checked with Policy.Open and
// an entry with Included. Nothing authenticates Extra.
type Receipt struct {
	Extra      []byte
	Index      int64 // of the entry, from 0
	Proof      []tlog.Hash
	Checkpoint []byte // as signed
}

// Marshal returns the only spelling of r.
func (r Receipt) Marshal() []byte {
	var b bytes.Buffer
	b.WriteString(receiptHeader)
	if len(r.Extra) > 0 {
		b.WriteString("extra " + base64.StdEncoding.EncodeToString(r.Extra) + "\n")
	}
	b.WriteString("index " + strconv.FormatInt(r.Index, 10) + "\n")
	for _, h := range r.Proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteString("\n")
	b.Write(r.Checkpoint)
	return b.Bytes()
}

// ParseReceipt accepts exactly what Marshal prints, up to MaxReceipt bytes, if
// the checkpoint is spelled as ParseCheckpoint demands and its tree is large
// enough for the index. It checks no signature and no proof. b is not retained.
func ParseReceipt(b []byte) (Receipt, error) {
	if len(b) > MaxReceipt {
		return Receipt{}, fmt.Errorf("receipt of %d bytes, the most is %d", len(b), MaxReceipt)
	}
	rest, ok := strings.CutPrefix(string(b), receiptHeader)
	if !ok {
		return Receipt{}, fmt.Errorf("receipt: the first line is not %q", strings.TrimSpace(receiptHeader))
	}
	head, signed, ok := strings.Cut(rest, "\n\n")
	if !ok {
		return Receipt{}, errors.New("receipt: no blank line before the checkpoint")
	}
	r := Receipt{Checkpoint: []byte(signed)}
	if err := r.parseHead(strings.Split(head, "\n")); err != nil {
		return Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	text, _, err := parseNote(r.Checkpoint)
	if err != nil {
		return Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	cp, err := ParseCheckpoint(text)
	if err != nil {
		return Receipt{}, fmt.Errorf("receipt: %w", err)
	}
	if r.Index >= cp.Size {
		return Receipt{}, fmt.Errorf("receipt: index %d is not in a log of size %d", r.Index, cp.Size)
	}
	if !bytes.Equal(r.Marshal(), b) {
		return Receipt{}, errors.New("receipt: not spelled as it should be")
	}
	return r, nil
}

// parseHead reads the lines between the first and the blank one.
func (r *Receipt) parseHead(lines []string) error {
	if b64, ok := strings.CutPrefix(lines[0], "extra "); ok {
		extra, err := decode64(b64)
		if err != nil || len(extra) == 0 {
			return errors.New("extra is not base64 of at least one byte")
		}
		r.Extra, lines = extra, lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return errors.New("no index line")
	}
	index, err := parseInt(strings.TrimPrefix(lines[0], "index "))
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	r.Index, lines = index, lines[1:]
	if len(lines) > maxProof {
		return fmt.Errorf("a proof of %d hashes, the most is %d", len(lines), maxProof)
	}
	for i, line := range lines {
		h, err := parseHash(line)
		if err != nil {
			return fmt.Errorf("hash %d of the proof: %w", i+1, err)
		}
		r.Proof = append(r.Proof, h)
	}
	return nil
}

// Included checks the proof: that the leaf hash is at r.Index in the tree of
// cp. The caller has cp from Policy.Open(r.Checkpoint).
func (r Receipt) Included(cp Checkpoint, leaf tlog.Hash) error {
	if err := tlog.CheckRecord(r.Proof, cp.Size, cp.Root, r.Index, leaf); err != nil {
		return fmt.Errorf("entry %d is not proven in the tree of size %d: %w", r.Index, cp.Size, err)
	}
	return nil
}
