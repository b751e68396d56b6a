package verify

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
)

// MaxEvidence is the largest evidence file that is read, in bytes: two
// checkpoints and two entries, with room for the spelling.
const MaxEvidence = 4 * MaxNote

// A Kind says what evidence accuses a log or a witness of.
type Kind string

const (
	// KindFork is two checkpoints that no single log can have: the tree of the
	// larger one does not extend that of the other, or one root has two sizes.
	KindFork Kind = "fork"
	// KindRollback is two checkpoints, the later of which is smaller. It proves
	// something only if one key dated both.
	KindRollback Kind = "rollback"
	// KindEntry is two entries at one place of the log, each proven in a
	// checkpoint: what a receipt promised and what stands there instead, or
	// where two copies part.
	KindEntry Kind = "entry"
	// KindRecord is an entry that no honest server of a ledger logs, whatever
	// the rules say of it.
	KindRecord Kind = "record"
	// KindSeen is a record in which a signer says to have seen another tree. It
	// proves nothing alone: either the log or the signer lied.
	KindSeen Kind = "seen"
)

// Evidence is the content of an evidence file: signed bytes and the proofs that
// they can't all be true. Nobody need trust who made it: Policies.Prove checks
// all of it, offline.
//
// The zero Kind is that of files of earlier versions, which are KindFork, or
// KindRollback if there is no Root, or KindSeen if there is a Record.
type Evidence struct {
	V    int64 `json:"v"` // 1
	Kind Kind  `json:"kind,omitempty"`

	// Old and New are checkpoints as signed. In KindFork that of Old is not the
	// larger one. In KindRollback that of Old is the smaller one, which was
	// shown after New.
	Old string `json:"old,omitempty"`

	// Record, in KindSeen, is a record as it was signed, and KID the signer in
	// it who names another tree than that of New.
	Record string `json:"record,omitempty"`
	KID    string `json:"kid,omitempty"`

	New string `json:"new,omitempty"`

	// Root is the root that the tree of New had at the size of the older tree,
	// and Proof the consistency proof of that (RFC 6962, Section 2.1.2), empty
	// if the sizes are the same. Each is standard base64.
	Root  string   `json:"root,omitempty"`
	Proof []string `json:"proof,omitempty"`

	// Places, in KindEntry, are two different entries with one index. In
	// KindRecord they are the charter and the entry, in one checkpoint; Root is
	// then the root that its tree had at the size that a signer says to have
	// seen, and Proof proves it.
	Places []Place `json:"places,omitempty"`

	// Keys, in KindRecord, are those of the signers that the record does not
	// bring itself, if it is about a signature that does not hold.
	Keys []record.JWK `json:"keys,omitempty"`
}

// A Place is an entry with the proof that a tree holds it.
type Place struct {
	Checkpoint string   `json:"checkpoint"`      // as signed
	Index      int64    `json:"index"`           // of the entry, from 0
	Entry      string   `json:"entry,omitempty"` // its bytes in standard base64; or
	Leaf       string   `json:"leaf,omitempty"`  // its leaf hash, where the bytes are not at hand
	Proof      []string `json:"proof"`           // inclusion proof (RFC 6962, Section 2.1.1)
}

// NewPlace returns an entry with its proof in a checkpoint. If entry is empty,
// its leaf hash stands for it.
func NewPlace(checkpoint []byte, index int64, entry []byte, leaf tlog.Hash, proof []tlog.Hash) Place {
	p := Place{Checkpoint: string(checkpoint), Index: index, Proof: hashStrings(proof)}
	if len(entry) > 0 {
		p.Entry = base64.StdEncoding.EncodeToString(entry)
	} else {
		p.Leaf = leaf.String()
	}
	return p
}

// Bytes returns the entry, nil if the file has only its leaf hash. It checks
// nothing.
func (p Place) Bytes() []byte {
	b, err := decode64(p.Entry)
	if err != nil || len(b) == 0 {
		return nil
	}
	return b
}

// Evidence returns what a file needs to prove e to others. Both notes must be
// there for it to prove anything.
func (e *ForkError) Evidence() Evidence {
	f := Evidence{V: 1, Kind: KindFork, Old: string(e.OldNote), New: string(e.NewNote)}
	if !e.twoSizes() {
		f.Root = e.Root.String()
	}
	if len(e.Proof) > 0 {
		f.Proof = hashStrings(e.Proof)
	}
	return f
}

// RollbackEvidence returns what is known of a log that showed a smaller
// checkpoint than it did before.
func RollbackEvidence(before, smaller []byte) Evidence {
	return Evidence{V: 1, Kind: KindRollback, Old: string(smaller), New: string(before)}
}

// EntryEvidence returns two entries that a log holds at one place.
func EntryEvidence(a, b Place) Evidence {
	return Evidence{V: 1, Kind: KindEntry, Places: []Place{a, b}}
}

func hashStrings(hashes []tlog.Hash) []string {
	all := make([]string, len(hashes))
	for i, h := range hashes {
		all[i] = h.String()
	}
	return all
}

// Marshal returns the one spelling of e: the members in the order of the type,
// those without a value left out, indented by two spaces, and a line end.
func (e Evidence) Marshal() ([]byte, error) {
	b, err := json.Marshal(e, jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	return append(b, '\n'), nil
}

// ParseEvidence accepts exactly what Marshal prints, up to MaxEvidence bytes. It
// proves nothing: that is for Policies.Prove.
func ParseEvidence(b []byte) (Evidence, error) {
	var e Evidence
	if len(b) > MaxEvidence {
		return e, fmt.Errorf("evidence of %d bytes, the most is %d", len(b), MaxEvidence)
	}
	if err := json.Unmarshal(b, &e, json.RejectUnknownMembers(true)); err != nil {
		return Evidence{}, fmt.Errorf("evidence: %w", err)
	}
	if e.V != 1 {
		return Evidence{}, fmt.Errorf("evidence: version %d, want 1: a newer docket-verify may know it", e.V)
	}
	again, err := e.Marshal()
	if err != nil {
		return Evidence{}, err
	}
	if !bytes.Equal(again, b) {
		return Evidence{}, errors.New("evidence: not in its one spelling; it must be the file as it was written")
	}
	return e, nil
}
