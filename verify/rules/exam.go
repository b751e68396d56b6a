package rules

import (
	"errors"
	"slices"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
)

// An exam judges one record. What the record would change is held back in puts
// until it is known to be effective.
type exam struct {
	fold    *Fold
	index   int64
	record  record.Checked
	charter *CharterInfo
	clock   clockRow
	// now is the ledger time T of this record: the newest iat so far, its
	// own included.
	now     int64
	signers []signer

	codes    []Code
	findings []Code
	puts     map[string][]byte
	order    []string
}

// A signer is one signature with what the ledger knows of its key.
type signer struct {
	header record.Header
	key    *KeyInfo // nil for the keys of a charter and a key enrolled for the first time
	isNew  bool     // the new key of a key.enrol
}

// errEnd ends an examination early; the codes say why.
var errEnd = errors.New("examination ended")

func (e *exam) void(code Code) { e.codes = append(e.codes, code) }

func (e *exam) find(code Code) { e.findings = append(e.findings, code) }

// end makes code the only one and ends the examination.
func (e *exam) end(code Code) error {
	e.codes = []Code{code}
	return errEnd
}

func (e *exam) get(key string) ([]byte, error) {
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
	if e.charter, err = cached[CharterInfo](e, rowCharter); err != nil {
		return err
	}
	if e.clock, err = readClock(e.fold.state); err != nil {
		return err
	}
	e.now = e.clock.now
	for _, h := range e.record.Headers() {
		e.now = max(e.now, h.IAT)
	}
	if c, ok := e.record.Payload().(*record.Charter); ok {
		return e.found(c)
	}
	if e.charter == nil {
		return e.end(CharterMissing)
	}
	if e.record.Payload().Head().Ledger != e.charter.Charter.Ledger {
		return e.end(record.LedgerMismatch)
	}
	if err := e.examineSignatures(); err != nil {
		return err
	}
	if err := e.examinePayload(); err != nil {
		return err
	}
	return e.tick()
}

func (e *exam) examinePayload() error {
	switch p := e.record.Payload().(type) {
	case *record.KeyEnrol:
		return e.enrol(p)
	case *record.KeyRevoke:
		return e.revoke(p)
	case *record.PolicyPublish:
		return e.publish(p)
	case *record.PolicyRepeal:
		return e.repeal(p)
	case *record.Decision:
		return e.decide(p)
	case *record.Ratification:
		return e.ratify(p)
	}
	return e.end(record.Unsupported)
}

// examineSignatures looks up each signer's key and checks what does not depend
// on the type: key, seq, seen and time.
func (e *exam) examineSignatures() error {
	newKID := ""
	if p, ok := e.record.Payload().(*record.KeyEnrol); ok {
		newKID = p.JWK.KID()
	}
	for _, h := range e.record.Headers() {
		key, err := cached[KeyInfo](e, rowKey+h.KID)
		if err != nil {
			return err
		}
		s := signer{header: h, key: key, isNew: h.KID == newKID}
		if key == nil && !s.isNew {
			return e.end(record.KeyUnknown)
		}
		e.signers = append(e.signers, s)
	}
	for _, s := range e.signers {
		if !s.isNew {
			if s.key.Revoked != nil {
				e.void(KeyRevoked)
			}
			if s.key.expired(e.now) {
				e.void(KeyExpired)
			}
		}
		if err := e.examineSeq(s); err != nil {
			return err
		}
		if err := e.examineSeen(s.header); err != nil {
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
	seq := s.header.Seq
	switch {
	case used.has(seq):
		e.void(SeqRepeat)
		return nil
	case s.isNew && seq != used.max()+1 && !e.fold.excerpt:
		e.void(EnrolPossession)
	case seq > used.max()+1:
		e.find(SeqGap)
	case seq < used.max():
		e.find(SeqLate)
	}
	e.put(rowSeq+s.header.KID, used.with(seq).encode())
	return nil
}

func (e *exam) examineSeen(h record.Header) error {
	if e.fold.excerpt {
		return nil // needs the roots and the clock of the whole log
	}
	if h.Seen.Size > e.index {
		e.void(SeenMismatch)
		return nil
	}
	root := tlog.Hash{}
	if h.Seen.Size > 0 {
		var err error
		if root, err = e.fold.roots.Root(h.Seen.Size); err != nil {
			return err
		}
		if root != h.Seen.Hash() {
			e.void(SeenMismatch)
		}
	}
	seenTime, err := e.timeOf(h.Seen.Size)
	if err != nil {
		return err
	}
	if h.IAT < seenTime-e.charter.Charter.Tolerance {
		e.void(TimeBeforeSeen)
	}
	return nil
}

func (k *KeyInfo) expired(now int64) bool {
	return k.ValidUntil != 0 && now >= k.ValidUntil.Unix()
}

func (k *KeyInfo) has(role record.Role) bool { return slices.Contains(k.Roles, role) }

// demand voids the record unless every signer has one of the quorums' roles and
// each quorum is reached by distinct holders. It returns the holders.
func (e *exam) demand(quorums ...record.Quorum) []string {
	var all []string
	byRole := map[record.Role]map[string]bool{}
	for _, s := range e.signers {
		entitled := false
		for _, q := range quorums {
			if s.key.has(q.Role) {
				entitled = true
				if byRole[q.Role] == nil {
					byRole[q.Role] = map[string]bool{}
				}
				byRole[q.Role][s.key.Holder] = true
			}
		}
		if !entitled {
			e.void(RoleMissing)
		}
		if !slices.Contains(all, s.key.Holder) {
			all = append(all, s.key.Holder)
		}
	}
	for _, q := range quorums {
		if int64(len(byRole[q.Role])) < q.Count {
			e.void(QuorumShort)
		}
	}
	slices.Sort(all)
	return all
}
