package rules

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/verify/record"
)

// An exam judges one record. What the record would change is held back in puts
// until it is known to be effective.
type exam struct {
	rows
	fold    *Fold
	index   int64
	record  record.Checked
	charter *CharterInfo
	time    clockRow // before this record
	// now is the ledger time T of this record: without witnesses the newest
	// iat so far, its own included.
	now     int64
	signers []signer

	codes    []Code
	findings []Code
	details  []Detail
	puts     map[string][]byte
	order    []string
}

// A signer is one signature with what the ledger knows of its key.
type signer struct {
	header record.Header
	key    *KeyInfo // nil for a key that the record brings for the first time
	isNew  bool     // the new key of a key.enrol, a new recovery key of an amendment
}

// errEnd ends an examination early; the codes say why.
var errEnd = errors.New("examination ended")

// short is the beginning of the hash of this record, see shortID.
func (e *exam) short() string {
	leaf := e.record.Leaf()
	return string(leaf[:idBytes])
}

func (e *exam) void(code Code) { e.codes = append(e.codes, code) }

func (e *exam) voidf(code Code, format string, args ...any) {
	e.void(code)
	e.tell(code, format, args...)
}

func (e *exam) find(code Code) { e.findings = append(e.findings, code) }

func (e *exam) findf(code Code, format string, args ...any) {
	e.find(code)
	e.tell(code, format, args...)
}

// tell adds the evidence for a code.
func (e *exam) tell(code Code, format string, args ...any) {
	e.details = append(e.details, Detail{code, fmt.Sprintf(format, args...)})
}

// end makes code the only one and ends the examination.
func (e *exam) end(code Code) error {
	e.codes, e.findings, e.details = []Code{code}, nil, nil
	return errEnd
}

func (e *exam) getRow(key string) ([]byte, error) {
	if v, ok := e.puts[key]; ok {
		return v, nil
	}
	return e.fold.state.Get(key)
}

func (e *exam) put(key string, value []byte) {
	if _, ok := e.puts[key]; !ok {
		e.order = append(e.order, key)
	}
	e.puts[key] = value
}

func (e *exam) putInt(key string, n int64) {
	var b encoder
	b.int(n)
	e.put(key, b)
}

func (e *exam) putJSON(key string, v any) error {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	e.put(key, b)
	return nil
}

// examine is the order of the examination: ledger, clock, signatures, then the
// rules of the type; last, what the record changes whatever its type.
func (e *exam) examine() error {
	var err error
	if e.charter, err = cached[CharterInfo](&e.rows, rowCharter); err != nil {
		return err
	}
	if e.time, err = e.clock(); err != nil {
		return err
	}
	e.now = e.time.now
	if c, ok := e.record.Payload().(*record.Charter); ok {
		return e.found(c)
	}
	if e.charter == nil {
		return e.end(CharterMissing)
	}
	if e.charter.Pending {
		if err := e.amendWhenDue(); err != nil {
			return err
		}
	}
	if !e.witnessed() {
		for _, h := range e.record.Headers() {
			e.now = max(e.now, h.IAT)
		}
	}
	p := e.record.Payload()
	if p.Head().Ledger != e.charter.Charter.Ledger {
		return e.end(record.LedgerMismatch)
	}
	if record.MinRules(p) > e.charter.Charter.Rules {
		return e.end(record.Unsupported)
	}
	if err := e.examineSignatures(); err != nil {
		return err
	}
	if err := e.examinePayload(); err != nil {
		return err
	}
	if !e.witnessed() {
		return e.tick()
	}
	return e.note()
}

func (e *exam) examinePayload() error {
	switch p := e.record.Payload().(type) {
	case *record.CharterAmend:
		return e.amend(p)
	case *record.KeyEnrol:
		return e.enrol(p)
	case *record.KeyRevoke:
		return e.revoke(p)
	case *record.PolicyPublish:
		return e.publish(p)
	case *record.PolicyRepeal:
		return e.repeal(p)
	case *record.Intake:
		return e.intake(p)
	case *record.Notice:
		return e.notice(p)
	case *record.Decision:
		return e.decide(p)
	case *record.Ratification:
		return e.ratify(p)
	case *record.Appeal:
		return e.appeal(p)
	case *record.Ruling:
		return e.rule(p)
	case *record.Erratum:
		return e.erratum(p)
	case *record.Execution:
		return e.about(p.About, record.RoleEnforcer)
	case *record.Timemark:
		return e.timemark(p)
	case *record.Export:
		return e.about(p.About, record.RoleMachine)
	case *record.Erasure:
		return e.about(p.About, record.RolePrivacy)
	}
	return e.end(record.Unsupported)
}

// brings returns the thumbprints of the keys that a record brings and that sign
// to show that somebody has them; filer is one whose signature is only shown.
func brings(p record.Payload) (kids []string, filer string) {
	switch p := p.(type) {
	case *record.KeyEnrol:
		kids = append(kids, p.JWK.KID())
	case *record.CharterAmend:
		for _, k := range p.Recovery.Keys {
			kids = append(kids, k.KID())
		}
	case *record.Appeal:
		if p.FilerJWK != nil {
			filer = p.FilerJWK.KID()
		}
	}
	return kids, filer
}

// examineSignatures looks up each signer's key and checks what does not depend
// on the type: key, seq, seen and time.
func (e *exam) examineSignatures() error {
	own, filer := brings(e.record.Payload())
	_, enrols := e.record.Payload().(*record.KeyEnrol)
	for _, h := range e.record.Headers() {
		key, err := cached[KeyInfo](&e.rows, rowKey+h.KID)
		if err != nil {
			return err
		}
		if key == nil && h.KID == filer {
			if err := e.examineSeen(h, true); err != nil {
				return err
			}
			continue
		}
		brought := slices.Contains(own, h.KID)
		if key == nil && !brought {
			return e.end(record.KeyUnknown)
		}
		e.signers = append(e.signers, signer{header: h, key: key, isNew: brought && (enrols || key == nil)})
	}
	for _, s := range e.signers {
		if !s.isNew {
			if s.key.Revoked != nil {
				e.voidf(KeyRevoked, "%s of %s, by entry %d", s.header.KID, s.key.Holder, s.key.Revoked.Index)
			}
			if s.key.expired(e.now) {
				e.voidf(KeyExpired, "%s of %s, at %s", s.header.KID, s.key.Holder, s.key.ValidUntil)
			}
		}
		if err := e.examineSeq(s); err != nil {
			return err
		}
		if err := e.examineSeen(s.header, false); err != nil {
			return err
		}
	}
	return nil
}

func (e *exam) examineSeq(s signer) error {
	raw, err := e.get(rowSeq + s.header.KID)
	if err != nil {
		return err
	}
	used, err := parseIntervals(raw)
	if err != nil {
		return err
	}
	seq, newest := s.header.Seq, used.max()
	switch {
	case used.has(seq):
		e.voidf(SeqRepeat, "number %d of %s was used before; its next is %d", seq, s.header.KID, newest+1)
		return nil
	case s.isNew && seq != newest+1 && !e.fold.excerpt:
		e.void(EnrolPossession)
	case seq > newest+1:
		e.findf(SeqGap, "%s signs with number %d after %d", s.header.KID, seq, newest)
	case seq < newest:
		e.findf(SeqLate, "%s signs with number %d after %d", s.header.KID, seq, newest)
	}
	e.put(rowSeq+s.header.KID, used.with(seq).encode())
	return nil
}

// examineSeen compares the tree that a signer has seen with this log. A filer's
// clock is nobody's business.
func (e *exam) examineSeen(h record.Header, filer bool) error {
	if e.fold.excerpt {
		return nil // needs the roots and the clock of the whole log
	}
	if h.Seen.Size > e.index {
		e.voidf(SeenMismatch, "%s has seen a tree of size %d, and this is entry %d", h.KID, h.Seen.Size, e.index)
		return nil
	}
	if h.Seen.Size > 0 {
		root, err := e.fold.roots.Root(h.Seen.Size)
		if err != nil {
			return err
		}
		if root != h.Seen.Hash() {
			e.voidf(SeenMismatch, "%s has seen root %v at size %d, where this log has %v", h.KID, h.Seen.Hash(), h.Seen.Size, root)
		}
	}
	if filer {
		return nil
	}
	seenTime, err := e.timeOf(h.Seen.Size)
	if err != nil {
		return err
	}
	if h.IAT < seenTime-e.charter.Charter.Tolerance {
		e.voidf(TimeBeforeSeen, "%s signs at %s having seen a tree of %s", h.KID, record.Time(h.IAT), record.Time(seenTime))
	}
	return nil
}

func (k *KeyInfo) expired(now int64) bool {
	return k.ValidUntil != 0 && now >= k.ValidUntil.Unix()
}

func (k *KeyInfo) has(role record.Role) bool { return slices.Contains(k.Roles, role) }

// demand voids the record unless every signer has one of the quorums' roles and
// the quorums are reached together: nobody fills two places. It returns the
// holders.
func (e *exam) demand(quorums ...record.Quorum) []string {
	need := map[record.Role]int64{}
	var wanted []record.Role
	for _, q := range quorums {
		if need[q.Role] == 0 {
			wanted = append(wanted, q.Role)
		}
		need[q.Role] = max(need[q.Role], q.Count)
	}
	var holders []string
	may := map[string]map[record.Role]bool{} // what a holder may sign as
	for _, s := range e.signers {
		entitled := false
		for _, role := range wanted {
			if s.key != nil && s.key.has(role) {
				entitled = true
				if may[s.key.Holder] == nil {
					may[s.key.Holder] = map[record.Role]bool{}
					holders = append(holders, s.key.Holder)
				}
				may[s.key.Holder][role] = true
			}
		}
		if !entitled {
			e.voidf(RoleMissing, "%s holds none of %v", s.header.KID, wanted)
			if s.key != nil && may[s.key.Holder] == nil {
				may[s.key.Holder] = map[record.Role]bool{}
				holders = append(holders, s.key.Holder)
			}
		}
	}
	slices.Sort(holders)
	e.seats(wanted, need, may)
	return holders
}

// seats voids the record unless the holders can fill all places: for every set
// of roles there are as many holders of any of them as places (Hall's theorem).
// Version 0 looked at each role alone.
func (e *exam) seats(wanted []record.Role, need map[record.Role]int64, may map[string]map[record.Role]bool) {
	for set := 1; set < 1<<len(wanted); set++ {
		var places int64
		var roles []record.Role
		for i, role := range wanted {
			if set&(1<<i) != 0 {
				roles = append(roles, role)
				places += need[role]
			}
		}
		if len(roles) > 1 && e.charter.Charter.Rules == 0 {
			continue
		}
		var people int64
		for _, as := range may {
			if slices.ContainsFunc(roles, func(r record.Role) bool { return as[r] }) {
				people++
			}
		}
		if people < places {
			e.voidf(QuorumShort, "%d of %d people, as %v", people, places, roles)
			return
		}
	}
}
