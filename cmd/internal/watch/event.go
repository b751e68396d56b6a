// Package watch looks at a log again and again, remembers what it showed, and says
// what is wrong with it: docket-verify watch.
//
// A look has four parts: the head that the log serves, compared with all that it
// showed before; the heads that peers and witnesses have, which must be of the same
// history; the age of the head; and the entries that are new, which are audited as
// docket-verify audit does. What it finds are events: see Event and the codes, and
// docs/format.md, "Watching".
//
// # Not checked here
//
// That what was read in earlier looks is still served: only Config.Recheck, which
// reads the whole log again, finds that.
package watch

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/verify/record"
)

// A Level says what is to be done about an event.
type Level string

const (
	// Alarm is for a person to look at, and goes to the command and the webhook.
	Alarm Level = "alarm"
	// Unknown says that something could not be found out. It becomes an alarm
	// if it lasts longer than Config.MaxAge.
	Unknown Level = "unknown"
	// Info says that all is well, or well again.
	Info Level = "info"
)

// A Code says what an event is. Codes are stable.
type Code string

// The codes of the levels Info and Unknown.
const (
	Began       Code = "watch.began"         // the first look that read the log
	Grown       Code = "log.grown"           // new entries were audited
	Cleared     Code = "watch.cleared"       // what an earlier event said is no longer so
	More        Code = "watch.more"          // so many events that they are only counted; an alarm
	Unreachable Code = "log.unreachable"     // no checkpoint could be read
	Unread      Code = "log.unread"          // tiles or entries could not be read
	NoPeer      Code = "peer.unreachable"    // a peer gave no checkpoint
	NoWitness   Code = "witness.unreachable" // a witness gave no answer
)

// The codes of alarms that last: an event when they begin, and Cleared when they
// are over.
const (
	Fork         Code = "log.fork"             // the log signed two histories
	Smaller      Code = "log.smaller"          // it shows fewer entries than it did before
	Behind       Code = "log.behind"           // it shows fewer entries than others have
	Stale        Code = "log.stale"            // its head is too old
	Unreadable   Code = "log.unreadable"       // no audit could be completed for too long
	Altered      Code = "log.altered"          // a tile or an entry is missing or another one
	Dishonest    Code = "log.dishonest"        // an entry that no honest server logs
	Malformed    Code = "checkpoint.malformed" // what is served is no checkpoint
	Unsigned     Code = "checkpoint.key"       // no log key of the policies signed it
	BadSignature Code = "checkpoint.signature" // a signature does not hold
	OtherLog     Code = "checkpoint.origin"    // it is of another log
	NoQuorum     Code = "checkpoint.quorum"    // too few witnesses cosigned it
	Retired      Code = "checkpoint.retired"   // only a key of an earlier epoch signed it
	PeerFork     Code = "peer.fork"            // a peer has another history
	PeerInvalid  Code = "peer.invalid"         // what a peer serves is no copy of the log
	WitnessFork  Code = "witness.fork"         // a witness cosigned another history
	WitnessWrong Code = "witness.invalid"      // what a witness serves is no checkpoint of the log
	Overdue      Code = "duty.overdue"         // somebody owes something that was due
)

// The codes of alarms that are told once.
const (
	LogKey          Code = "log.key" // another key of the policies signs now
	RecordVoid      Code = "record.void"
	CharterMade     Code = "charter.made"
	CharterAmended  Code = "charter.amended"
	KeyEnrolled     Code = "key.enrolled"
	KeyRevoked      Code = "key.revoked"
	PolicyPublished Code = "policy.published"
	PolicyRepealed  Code = "policy.repealed"
)

// An Event is what a watch has to say: a line of JSON.
type Event struct {
	V int64 `json:"v"` // 1
	// ID is the same whenever the same event is told again, after a crash or by
	// a second delivery.
	ID string `json:"id"`
	// At is when the watcher saw it, by its own clock.
	At     record.Time `json:"at"`
	Level  Level       `json:"level"`
	Code   Code        `json:"code"`
	Origin string      `json:"origin,omitempty"`
	// Source is who showed it: the URL or folder of the log or of a peer, or the
	// name of a witness in the policy.
	Source string `json:"source"`
	// Of, in Cleared and More, is the code of the events that it is about.
	Of Code `json:"of,omitempty"`
	// Size is that of the tree that it was seen in, Index and Record the entry
	// that it is about.
	Size   int64     `json:"size,omitzero"`
	Index  *int64    `json:"index,omitempty"`
	Record record.ID `json:"record,omitempty"`
	// Codes are why a record is void, or what is dishonest about it.
	Codes []string `json:"codes,omitempty"`
	// Detail says it in words. It may quote what others wrote.
	Detail string `json:"detail"`
	// Evidence is the file that proves it to others.
	Evidence string `json:"evidence,omitempty"`
}

// line returns the event as it is printed and delivered, without the line end.
func (e *Event) line() ([]byte, error) { return json.Marshal(e, json.Deterministic(true)) }

// name gives the event its ID.
func (e *Event) name() error {
	e.V, e.ID = 1, ""
	b, err := e.line()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	e.ID = hex.EncodeToString(sum[:12])
	return nil
}
