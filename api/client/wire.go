package client

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/verify/record"
)

// The two values of Standing.
const (
	Effective = "effective"
	Void      = "void"
)

// A Standing is what the ledger says the rules say of a record.
type Standing struct {
	ID    record.ID `json:"id"`
	Index int64     `json:"index"`
	// Standing is Effective or Void.
	Standing string `json:"standing"`
	// Codes say why a record is void; Findings don't make it void.
	Codes    []problem.Reason `json:"codes,omitempty"`
	Findings []problem.Reason `json:"findings,omitempty"`
}

// A Submitted is the answer to a submission.
type Submitted struct {
	Standing
	// Known says that the log held the record before, or an effective one
	// that states the same; the answer is about that one then.
	Known bool `json:"known"`
	// Receipt is the bare receipt, a c2sp.org/tlog-proof. It is not checked.
	Receipt string `json:"receipt"`
}

// A Record is a record of the log.
type Record struct {
	Standing
	// Record is its exact bytes. They are not checked: compare record.IDOf
	// with the id.
	Record jsontext.Value `json:"record"`
	// Payload is what it states, decoded.
	Payload jsontext.Value `json:"payload"`
}

// A Receipt is the full receipt of a record.
type Receipt struct {
	Standing
	// Receipt is a c2sp.org/tlog-proof. It is not checked.
	Receipt string `json:"receipt"`
}

// A Draft is a record that waits for co-signers, outside the log.
type Draft struct {
	// ID is "draft-" and the unpadded base64url SHA-256 of the payload.
	ID   string      `json:"id"`
	Type record.Type `json:"type"`
	// Case is the case of an act.
	Case   string      `json:"case,omitempty"`
	Posted record.Time `json:"posted"`
	// Expires is when the oldest signature is too old for the ledger.
	Expires record.Time   `json:"expires"`
	Signers []DraftSigner `json:"signers"`
	// Record is the record with the signatures that it has so far.
	Record jsontext.Value `json:"record"`
}

// A DraftSigner is who has signed a draft.
type DraftSigner struct {
	KID string `json:"kid"`
	// Holder is whose key it is, in a key.enrol of whom it is to be.
	Holder string `json:"holder,omitempty"`
	// IAT is when, in seconds since 1970.
	IAT int64 `json:"iat"`
}

// Drafts are all drafts that wait, the one posted first before the others.
type Drafts struct {
	Drafts []Draft `json:"drafts"`
}

// A Key is what the ledger knows of a key.
type Key struct {
	KID    string        `json:"kid"`
	JWK    record.JWK    `json:"jwk"`
	Holder string        `json:"holder"`
	Roles  []record.Role `json:"roles"`
	// EnrolledAt are the indexes of the records that enrolled it; 0 is the
	// charter.
	EnrolledAt []int64     `json:"enrolled_at"`
	ValidUntil record.Time `json:"valid_until,omitzero"`
	// Recovery marks a recovery key of the charter.
	Recovery bool        `json:"recovery"`
	Revoked  *Revocation `json:"revoked,omitempty"`
	// NextSeq is the number that its next signature should have.
	NextSeq int64 `json:"next_seq"`
}

// A Revocation ended a key from Index on.
type Revocation struct {
	Index  int64       `json:"index"`
	Reason string      `json:"reason"`
	Since  record.Time `json:"since,omitzero"`
}

// Info describes a ledger.
type Info struct {
	Origin string `json:"origin"`
	VKey   string `json:"vkey"`
	Size   int64  `json:"size"`
	// Root is the standard base64 of the root hash, as in the checkpoint.
	Root       string `json:"root"`
	Checkpoint string `json:"checkpoint"` // as signed
	// Rules is the version of the rules.
	Rules int64 `json:"rules"`
	// Time is the ledger time. Without timemarks it is claimed, not proven.
	Time record.Time `json:"time"`
	// MaxRecord is how many bytes a record may have.
	MaxRecord int64 `json:"max_record"`
}
