package witness

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
)

const (
	// MaxRequest is the largest request that is read, in bytes: as much as
	// other witnesses take.
	MaxRequest = 16 << 10
	// MaxProof is the most hashes of a consistency proof.
	MaxProof = 63
	// SizeType is the media type of the body of a 409: the size to prove
	// from, and LF.
	SizeType = "text/x.tlog.size"
)

// A Request asks a witness to cosign a checkpoint:
//
//	old <size>
//	<base64 of a hash>, the consistency proof
//
//	<signed checkpoint>
type Request struct {
	Old        int64       // that the witness has cosigned last, 0 for none
	Proof      []tlog.Hash // that the tree of the checkpoint extends it
	Checkpoint []byte      // as signed
}

// Marshal returns the only spelling of r, which ParseRequest accepts if r is
// within the bounds.
func (r Request) Marshal() []byte {
	b := []byte("old " + strconv.FormatInt(r.Old, 10) + "\n")
	for _, h := range r.Proof {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return append(append(b, '\n'), r.Checkpoint...)
}

// ParseRequest accepts exactly what Marshal prints, up to MaxRequest bytes. It
// does not look at the checkpoint.
func ParseRequest(b []byte) (Request, error) {
	if len(b) > MaxRequest {
		return Request{}, fmt.Errorf("a request of %d bytes, the most is %d", len(b), MaxRequest)
	}
	head, note, ok := strings.Cut(string(b), "\n\n")
	if !ok {
		return Request{}, errors.New("no blank line before the checkpoint")
	}
	lines := strings.Split(head, "\n")
	size, ok := strings.CutPrefix(lines[0], "old ")
	if !ok {
		return Request{}, errors.New("the first line is not: old <size>")
	}
	r := Request{Checkpoint: []byte(note)}
	var err error
	if r.Old, err = ParseSize(size); err != nil {
		return Request{}, fmt.Errorf("old: %w", err)
	}
	if len(lines)-1 > MaxProof {
		return Request{}, fmt.Errorf("a proof of %d hashes, the most is %d", len(lines)-1, MaxProof)
	}
	for i, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != tlog.HashSize || len(line) != base64.StdEncoding.EncodedLen(tlog.HashSize) {
			return Request{}, fmt.Errorf("hash %d of the proof is not the base64 of 32 bytes", i+1)
		}
		r.Proof = append(r.Proof, tlog.Hash(h))
	}
	return r, nil
}

// ParseSize reads a size, as in the body of a 409 without its LF: decimal, no
// sign, no leading zero, at most verify.MaxSize.
func ParseSize(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > verify.MaxSize || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("%.40q is not a number from 0 to %d without leading zeros", s, verify.MaxSize)
	}
	return n, nil
}
