package client

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
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
	// Witnessed says that the witnesses were waited for, and that the receipt
	// rests on a checkpoint that enough of them have cosigned.
	Witnessed bool `json:"witnessed,omitzero"`
	// Receipt is the bare receipt, a c2sp.org/tlog-proof. It is not checked.
	Receipt string `json:"receipt"`
}

// A BatchLine is the outcome of one record of a batch.
type BatchLine struct {
	// Line is the number of the line of the record, from 1.
	Line int64 `json:"line"`
	// Status is what the record alone would have been answered with: 201, 200
	// if it was known, or that of a problem.
	Status int `json:"status"`
	// Submitted is nil if the record is not in the log.
	*Submitted
	// Code and Detail are those of a problem, Codes those of a problem or why
	// the record is void.
	Code   string           `json:"code,omitempty"`
	Codes  []problem.Reason `json:"codes,omitempty"`
	Detail string           `json:"detail,omitempty"`
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

// Policies are the policies of a ledger by name, or a page of them.
type Policies struct {
	// Size is how many records the log had that the answer reflects.
	Size     int64    `json:"size"`
	Policies []Policy `json:"policies"`
	// Next asks for the next page, "" if this is the last.
	Next string `json:"next,omitempty"`
}

// A Policy is a policy with its versions, as of the time of the answer.
type Policy struct {
	Policy string `json:"policy"`
	// Historic says that its texts are from before the ledger.
	Historic bool            `json:"historic,omitzero"`
	Versions []PolicyVersion `json:"versions"`
	// InForce is the version in force, 0 if there is none.
	InForce int64 `json:"in_force,omitzero"`
	// Repealed says that the policy was repealed; RepealedAt from when on, 0
	// as long as that is not known.
	Repealed   bool        `json:"repealed,omitzero"`
	RepealedAt record.Time `json:"repealed_at,omitzero"`
}

// A PolicyVersion is a version that was published.
type PolicyVersion struct {
	Version int64 `json:"version"`
	// Record is the id of the record that published it.
	Record record.ID `json:"record"`
	// Start is from when on it may be in force, 0 as long as that is not
	// known: no timemark covers its publication yet.
	Start record.Time `json:"start,omitzero"`
}

// Keys are all keys that were ever enrolled, by thumbprint, or a page of them.
type Keys struct {
	Size int64  `json:"size"` // as in Policies
	Keys []Key  `json:"keys"`
	Next string `json:"next,omitempty"` // as in Policies
}

// A Case is what the log holds of a case, or a page of it.
type Case struct {
	Size int64  `json:"size"` // as in Policies
	Case string `json:"case"`
	// Subject is the ref of its subject, Tip its newest effective act: "" if
	// only void records name the case.
	Subject string    `json:"subject,omitempty"`
	Tip     record.ID `json:"tip,omitempty"`
	// InForce is what may be acted on, nil if nothing.
	InForce *InForce `json:"in_force,omitempty"`
	// Records are all that name the case, or are about one that does, in the
	// order of the log; void ones, too.
	Records []CaseRecord `json:"records"`
	Next    string       `json:"next,omitempty"` // as in Policies
}

// InForce is the decision that is in force in a case, or the ruling in its place.
type InForce struct {
	Action   record.Action `json:"action"`
	Decision record.ID     `json:"decision"`
	// Status is where it stands: in_force, awaiting_ratification,
	// under_appeal or upheld.
	Status rules.Status `json:"status"`
}

// A CaseRecord is a record of a case.
type CaseRecord struct {
	Standing
	Type record.Type `json:"type"`
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
	// Time is the ledger time, 0 before there is one. Without timemarks it is
	// claimed, not proven.
	Time record.Time `json:"time,omitzero"`
	// MaxRecord is how many bytes a record may have.
	MaxRecord int64 `json:"max_record"`
	// Serves says what GET /checkpoint answers: one of the values below.
	Serves string `json:"serves"`
	// Witnessed is the newest checkpoint that reached the quorum of witnesses, as
	// cosigned, and WitnessedSize its size; none before there is one.
	Witnessed     string `json:"witnessed,omitempty"`
	WitnessedSize int64  `json:"witnessed_size,omitzero"`
	// Witnesses are those that are asked to cosign.
	Witnesses []Witness `json:"witnesses,omitempty"`
	// Behind is how many records the log has, as far as its servers said, that this
	// ledger has not taken over yet. Only one that shares its log is ever behind.
	Behind int64 `json:"behind,omitzero"`
	// NoTimemarks says why the ledger makes no timemarks, "" if nothing is in
	// the way.
	NoTimemarks string `json:"no_timemarks,omitempty"`
}

// The values of Info.Serves.
const (
	ServesSigned    = "signed"    // the newest signed checkpoint: there are no witnesses
	ServesWitnessed = "witnessed" // the newest one that reached the quorum
	ServesStart     = "start"     // that of the start of the server: none has reached the quorum yet
)

// A Witness is one that a ledger asks to cosign its checkpoints.
type Witness struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// Size is the largest tree that it cosigned, At when it last did, by its own
	// clock.
	Size int64       `json:"size"`
	At   record.Time `json:"at,omitzero"`
	// Behind is how many records it has not cosigned; BehindSeconds how long
	// ago, then, it last cosigned.
	Behind        int64 `json:"behind"`
	BehindSeconds int64 `json:"behind_seconds,omitzero"`
	// Error says why the last request failed, ErrorAt when that was.
	Error   string      `json:"error,omitempty"`
	ErrorAt record.Time `json:"error_at,omitzero"`
	// Faulty says that it answered what no honest witness can.
	Faulty bool `json:"faulty,omitzero"`
}
