// Package witness is the judgement of a witness (c2sp.org/tlog-witness v1.0.0),
// and the message that asks for it.
//
// A witness knows some logs. It cosigns a checkpoint of one of them if its tree
// extends the one that it cosigned last, and says when it did. Whoever demands the
// cosignatures of several witnesses can be shown two histories only if all of
// these err together. A request is
//
//	old 20852014
//	PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
//	jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
//
//	example.com/behind-the-sofa
//	20852163
//	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//
//	— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//
// the size that it cosigned last, the consistency proof from there (RFC 6962,
// Section 2.1.2), and the checkpoint as signed; the answer are signature lines.
//
// # Not done here
//
// No clock, no network, no disk: the time is an argument, the caller serves HTTP,
// and a Store remembers what was cosigned. Checkpoints with extension lines are
// refused, as everywhere in package verify.
package witness

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
)

// The answers of a witness, as HTTP numbers them.
const (
	OK            = 200
	BadRequest    = 400 // the request is malformed, or old is above the size
	Forbidden     = 403 // no key of the log signed it, or its signature does not hold
	UnknownLog    = 404
	Conflict      = 409 // old is not the size that was cosigned last; the body says that
	Unprocessable = 422 // the consistency proof does not hold, or the size had another root
)

// A Store remembers the newest checkpoint that was cosigned of each log. Its
// methods may be called concurrently.
type Store interface {
	// Head returns what Swap kept for an origin, nil if there is nothing.
	Head(origin string) ([]byte, error)
	// Swap replaces old, nil if there was nothing, by a cosigned checkpoint. It
	// returns once that is on stable storage. If something else than old is
	// kept, it changes nothing and returns an error that wraps ErrConflict.
	Swap(origin string, old, cosigned []byte) error
}

// ErrConflict is returned by Store.Swap if another checkpoint came in between.
var ErrConflict = errors.New("another checkpoint was cosigned in between")

// A Witness cosigns checkpoints. It may be used concurrently.
type Witness struct {
	// Logs has the keys of the logs that are cosigned; its witnesses and
	// quorum are not looked at.
	Logs *verify.Policy
	// Cosigners sign, each with a line of its own; at least one. Two witnesses
	// with one key must share the store.
	Cosigners []verify.Cosigner
	// Store remembers what was signed.
	Store Store
}

// An Answer is what the requester gets.
type Answer struct {
	Status int
	Type   string // media type of Body
	Body   string // signature lines if Status is OK, a size if Conflict, else words

	// Fork is set if the log signed two roots of one size: the one that was
	// cosigned, and another one in this request, which was refused.
	Fork *verify.ForkError
}

const plain = "text/plain; charset=utf-8"

func refuse(status int, format string, args ...any) Answer {
	return Answer{Status: status, Type: plain, Body: fmt.Sprintf(format, args...) + "\n"}
}

// ID names a log in the path of its newest cosigned checkpoint: the SHA-256 of its
// origin in lower-case hexadecimal.
func ID(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(sum[:])
}

// Newest returns the newest checkpoint that was cosigned of the log with an ID;
// nil if there is none, or no such log.
func (w *Witness) Newest(id string) ([]byte, error) {
	for _, l := range w.Logs.Logs() {
		if ID(l.Key.Name) == id {
			return w.Store.Head(l.Key.Name)
		}
	}
	return nil, nil
}

// Add answers the body of a request to cosign, at a time in seconds since 1970.
// The error is one of Store or Cosigners, or says that what is kept is damaged;
// nothing may be sent then but that the witness has failed. When it returns OK the
// checkpoint is kept durably.
func (w *Witness) Add(body []byte, at int64) (Answer, error) {
	r, err := ParseRequest(body)
	if err != nil {
		return refuse(BadRequest, "%v", err), nil
	}
	if !w.knows(r.Checkpoint) {
		return refuse(UnknownLog, "a log that is not witnessed here"), nil
	}
	signed, err := w.Logs.Open(r.Checkpoint)
	switch {
	case err == nil, errors.Is(err, verify.ErrQuorum): // whose quorum is not asked here
	case errors.Is(err, verify.ErrUnknownLog), errors.Is(err, verify.ErrSignature), errors.Is(err, verify.ErrOrigin):
		return refuse(Forbidden, "%v", err), nil
	default:
		return refuse(BadRequest, "%v", err), nil
	}
	if r.Old > signed.Checkpoint.Size {
		return refuse(BadRequest, "old is %d, above the size of the checkpoint, %d", r.Old, signed.Checkpoint.Size), nil
	}
	for {
		a, err := w.extend(r, signed, at)
		if !errors.Is(err, ErrConflict) { // else somebody came further, so this ends
			return a, err
		}
	}
}

// knows reports whether the first line of a checkpoint names a log that is
// witnessed.
func (w *Witness) knows(checkpoint []byte) bool {
	origin, _, _ := strings.Cut(string(checkpoint), "\n")
	for _, l := range w.Logs.Logs() {
		if l.Key.Name == origin {
			return true
		}
	}
	return false
}

// extend cosigns a checkpoint if it extends what was cosigned last. The error
// wraps ErrConflict if another request was faster.
func (w *Witness) extend(r Request, s verify.Signed, at int64) (Answer, error) {
	cp := s.Checkpoint
	kept, err := w.Store.Head(cp.Origin)
	if err != nil {
		return Answer{}, err
	}
	last := verify.Checkpoint{Origin: cp.Origin, Root: verify.EmptyRoot}
	if kept != nil {
		text, _, _ := bytes.Cut(kept, []byte("\n\n"))
		if last, err = verify.ParseCheckpoint(string(text) + "\n"); err != nil || last.Origin != cp.Origin {
			return Answer{}, fmt.Errorf("what is kept of %s is damaged (%v, of %q)", cp.Origin, err, last.Origin)
		}
	}
	if r.Old != last.Size {
		return Answer{Status: Conflict, Type: SizeType, Body: strconv.FormatInt(last.Size, 10) + "\n"}, nil
	}
	if err := extends(cp, last, r.Proof); err != nil {
		a := refuse(Unprocessable, "%v", err)
		if cp.Size == last.Size && cp.Root != last.Root {
			a.Fork = &verify.ForkError{Old: last, New: cp, OldNote: kept, NewNote: s.Note, Root: cp.Root}
		}
		return a, nil
	}
	return w.cosign(s, kept, at)
}

// extends checks a consistency proof, of which there is none from the empty tree.
func extends(cp, last verify.Checkpoint, proof []tlog.Hash) error {
	if last.Size == 0 {
		if len(proof) > 0 {
			return errors.New("a proof that a tree extends the empty one")
		}
		return nil // ParseCheckpoint has looked at the root of an empty one
	}
	if err := tlog.CheckTree(proof, cp.Size, cp.Root, last.Size, last.Root); err != nil {
		return fmt.Errorf("not shown that the tree of size %d extends that of size %d: %w", cp.Size, last.Size, err)
	}
	return nil
}

// cosign keeps a checkpoint, with the log's signatures and the cosignatures, in
// place of what was kept.
func (w *Witness) cosign(s verify.Signed, kept []byte, at int64) (Answer, error) {
	var own []verify.VKey
	for _, l := range w.Logs.Logs() {
		own = append(own, l.Key)
	}
	note, err := verify.KeepLines(s.Note, own...)
	if err != nil {
		return Answer{}, err
	}
	var lines string
	for _, c := range w.Cosigners {
		line, err := c.Cosign(s.Checkpoint, at)
		if err != nil {
			return Answer{}, err
		}
		lines += line
	}
	if err := w.Store.Swap(s.Checkpoint.Origin, kept, append(note, lines...)); err != nil {
		return Answer{}, err
	}
	return Answer{Status: OK, Type: plain, Body: lines}, nil
}
