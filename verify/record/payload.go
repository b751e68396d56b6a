package record

import "reflect"

// A Type says what a record states.
type Type string

// The types. Rules version 0 knows the first seven only.
const (
	TypeCharter       Type = "charter"
	TypeKeyEnrol      Type = "key.enrol"
	TypeKeyRevoke     Type = "key.revoke"
	TypePolicyPublish Type = "policy.publish"
	TypePolicyRepeal  Type = "policy.repeal"
	TypeDecision      Type = "decision"
	TypeRatification  Type = "ratification"

	TypeCharterAmend Type = "charter.amend"
	TypeIntake       Type = "intake"
	TypeNotice       Type = "notice"
	TypeAppeal       Type = "appeal"
	TypeRuling       Type = "ruling"
	TypeErratum      Type = "erratum"
	TypeExecution    Type = "execution"
	TypeTimemark     Type = "timemark"
	TypeExport       Type = "export"
	TypeErasure      Type = "erasure"
)

// Types lists all types.
var Types = []Type{TypeCharter, TypeCharterAmend, TypeKeyEnrol, TypeKeyRevoke, TypePolicyPublish, TypePolicyRepeal,
	TypeIntake, TypeNotice, TypeDecision, TypeRatification, TypeAppeal, TypeRuling,
	TypeErratum, TypeExecution, TypeTimemark, TypeExport, TypeErasure}

// A Payload is what a record states: a pointer to the struct of its type, such
// as *Decision. The members are described at docs/format.md; a payload is read
// only once it was parsed.
type Payload interface {
	// Head returns the members that every type has.
	Head() *Common
	check(c *checker)
}

// newPayload returns an empty payload of a type, or nil if there is no such type.
func newPayload(t Type) Payload {
	switch t {
	case TypeCharter:
		return &Charter{}
	case TypeCharterAmend:
		return &CharterAmend{}
	case TypeKeyEnrol:
		return &KeyEnrol{}
	case TypeKeyRevoke:
		return &KeyRevoke{}
	case TypePolicyPublish:
		return &PolicyPublish{}
	case TypePolicyRepeal:
		return &PolicyRepeal{}
	case TypeIntake:
		return &Intake{}
	case TypeNotice:
		return &Notice{}
	case TypeDecision:
		return &Decision{}
	case TypeRatification:
		return &Ratification{}
	case TypeAppeal:
		return &Appeal{}
	case TypeRuling:
		return &Ruling{}
	case TypeErratum:
		return &Erratum{}
	case TypeExecution:
		return &Execution{}
	case TypeTimemark:
		return &Timemark{}
	case TypeExport:
		return &Export{}
	case TypeErasure:
		return &Erasure{}
	}
	return nil
}

// typeOf returns the type of a payload.
func typeOf(p Payload) Type {
	for _, t := range Types {
		if reflect.TypeOf(newPayload(t)) == reflect.TypeOf(p) {
			return t
		}
	}
	return ""
}

// Common holds the members that every payload has.
type Common struct {
	// V is the version of the payload's schema, 1.
	V int64 `json:"v"`
	// Ledger is the origin of the ledger that the record is for, a URL
	// without scheme: a record counts in no other ledger.
	Ledger string `json:"ledger"`
	Type   Type   `json:"type"`
}

// Head returns m itself.
func (m *Common) Head() *Common { return m }

func (m *Common) check(c *checker) {
	c.origin("ledger", m.Ledger)
}

// A Role is what a key may sign for.
type Role string

// The roles of design and docs/format.md.
const (
	RoleAdministration Role = "administration"
	RoleRegistrar      Role = "registrar"
	RolePolicy         Role = "policy"
	RoleDecider        Role = "decider"
	RoleIntake         Role = "intake"
	RoleRatifier       Role = "ratifier"
	RoleAppeals        Role = "appeals"
	RoleEnforcer       Role = "enforcer"
	RolePrivacy        Role = "privacy"
	RoleMachine        Role = "machine"
)

// Roles lists all roles.
var Roles = []Role{RoleAdministration, RoleRegistrar, RolePolicy, RoleDecider, RoleIntake,
	RoleRatifier, RoleAppeals, RoleEnforcer, RolePrivacy, RoleMachine}

// KeyEnrol gives a key to a holder, or changes the roles of one that was
// enrolled before.
type KeyEnrol struct {
	Common
	Holder string `json:"holder"`
	JWK    JWK    `json:"jwk"`
	Roles  []Role `json:"roles"`
	// ValidUntil is when the key stops to count; it must be later than the
	// ledger time.
	ValidUntil Time `json:"valid_until,omitzero"`
}

func (p *KeyEnrol) check(c *checker) {
	p.Common.check(c)
	c.slug("holder", p.Holder)
	p.JWK.check(c, "jwk")
	c.roles("roles", p.Roles)
}

// The reasons of a KeyRevoke.
const (
	Retired     = "retired"
	Lost        = "lost"
	Compromised = "compromised"
)

// KeyRevoke ends a key from its own index on.
type KeyRevoke struct {
	Common
	KID    string `json:"kid"`
	Reason string `json:"reason"`
	// Since is since when a compromised key may have been in other hands.
	Since Time `json:"since,omitzero"`
}

func (p *KeyRevoke) check(c *checker) {
	p.Common.check(c)
	c.hash("kid", p.KID)
	c.oneOf("reason", p.Reason, Retired, Lost, Compromised)
	if p.Reason == Compromised && p.Since == 0 {
		c.missing("since", "since when the key may have been in other hands")
	}
	if p.Reason != Compromised && p.Since != 0 {
		c.wrong("since", p.Since.String(), "it left out unless reason is compromised")
	}
}
