package rules

import (
	"slices"
	"strconv"

	"github.com/docket-ledger/docket/verify/record"
)

// watched are the roles that must stay within reach: without them nobody could
// enrol or amend any more.
var watched = []record.Role{record.RoleRegistrar, record.RoleAdministration}

// found examines a charter: index 0, signed by all founding and recovery keys,
// each with seq 1 and before there was a tree.
func (e *exam) found(p *record.Charter) error {
	if e.index != 0 || e.charter != nil {
		return e.end(CharterNotFirst)
	}
	keys := map[string]*KeyInfo{}
	for i, f := range p.Founders {
		keys[f.JWK.KID()] = &KeyInfo{JWK: f.JWK, Holder: f.Holder, Roles: f.Roles, Indexes: []int64{0}, ValidUntil: f.ValidUntil, Number: int64(i)}
	}
	for i, k := range p.Recovery.Keys {
		keys[k.KID()] = recoveryKey(k, 0, int64(len(p.Founders)+i))
	}
	e.charter = &CharterInfo{Charter: p}
	for _, h := range e.record.Headers() {
		e.charter.Time = max(e.charter.Time, h.IAT)
	}
	if !e.witnessed() {
		e.now = e.charter.Time
	}
	headers := e.record.Headers()
	if len(headers) < len(keys) {
		e.void(QuorumShort)
	}
	kids := map[record.Role][]string{}
	for _, h := range headers {
		if h.Seq != 1 {
			e.void(SeqRepeat)
		}
		if h.Seen != record.SeenNothing {
			e.void(SeenMismatch)
		}
		k := keys[h.KID] // there, or package record would not have opened it
		if k.expired(e.now) {
			e.void(KeyExpired)
		}
		for _, role := range k.Roles {
			kids[role] = append(kids[role], h.KID)
		}
		if err := e.putKey(h.KID, k); err != nil {
			return err
		}
		e.put(rowSeq+h.KID, intervals{1, 1}.encode())
	}
	if p.HistoricUntil != 0 && p.HistoricUntil.Unix() > e.charter.Time+historicDays*24*3600 {
		e.void(HistoricNotPermitted)
	}
	e.putInt(rowKeys, int64(len(keys)))
	for _, role := range watched {
		if err := e.putJSON(rowRole+string(role), kids[role]); err != nil {
			return err
		}
	}
	if err := e.putJSON(rowCharter, e.charter); err != nil {
		return err
	}
	if err := e.checkReach(quorums(&p.Terms)); err != nil {
		return err
	}
	if e.witnessed() {
		return e.note()
	}
	return e.tick()
}

// historicDays bounds historic_until, from the charter on.
const historicDays = 180

func recoveryKey(k record.JWK, index, number int64) *KeyInfo {
	return &KeyInfo{JWK: k, Holder: "recovery-key-" + k.KID(), Indexes: []int64{index}, Recovery: true, Number: number}
}

// putKey writes what is known of a key, and its number.
func (e *exam) putKey(kid string, k *KeyInfo) error {
	e.put(numberKey(k.Number), []byte(kid))
	return e.putJSON(rowKey+kid, k)
}

func numberKey(n int64) string { return rowNumber + strconv.FormatInt(n, 10) }

// inRecovery reports whether a key is one of the recovery keys in force.
func (e *exam) inRecovery(kid string) bool {
	return slices.ContainsFunc(e.charter.Charter.Recovery.Keys, func(k record.JWK) bool { return k.KID() == kid })
}

// registrarsSign voids the record unless its signers, without those left out,
// are enough registrars or enough recovery keys. one says that a single
// registrar will do.
func (e *exam) registrarsSign(one bool, leftOut func(signer) bool) {
	quorum := e.charter.Charter.RegistrarQuorum
	if one {
		quorum = 1
	}
	e.orRecovery(record.Quorum{Role: record.RoleRegistrar, Count: quorum}, leftOut)
}

// orRecovery voids the record unless its signers, without those left out, reach
// the quorum or that of the recovery keys. It reports whether the latter is.
func (e *exam) orRecovery(q record.Quorum, leftOut func(signer) bool) (recovered bool) {
	staff, recovery := map[string]bool{}, map[string]bool{}
	for _, s := range e.signers {
		switch {
		case leftOut(s):
		case s.key.Recovery && e.inRecovery(s.header.KID):
			recovery[s.key.Holder] = true
		case s.key.has(q.Role):
			staff[s.key.Holder] = true
		default:
			e.voidf(RoleMissing, "%s is no %s and no recovery key", s.header.KID, q.Role)
		}
	}
	if len(recovery) > 0 {
		e.find(RecoveryUsed)
	}
	recovered = int64(len(recovery)) >= e.charter.Charter.Recovery.Quorum
	if int64(len(staff)) < q.Count && !recovered {
		e.voidf(QuorumShort, "%d of %d people, as %s", len(staff), q.Count, q.Role)
	}
	return recovered
}

func (e *exam) enrol(p *record.KeyEnrol) error {
	kid := p.JWK.KID()
	e.registrarsSign(false, func(s signer) bool { return s.isNew })
	if !slices.ContainsFunc(e.signers, func(s signer) bool { return s.isNew }) {
		e.void(EnrolPossession)
	}
	old, err := cached[KeyInfo](&e.rows, rowKey+kid)
	if err != nil {
		return err
	}
	before, err := e.reach()
	if err != nil {
		return err
	}
	info := &KeyInfo{JWK: p.JWK, Holder: p.Holder, Roles: p.Roles, Indexes: []int64{e.index}, ValidUntil: p.ValidUntil}
	if old == nil {
		if info.Number, err = e.count(rowKeys); err != nil {
			return err
		}
		e.putInt(rowKeys, info.Number+1)
	} else {
		info.Number = old.Number
		info.Indexes = append(slices.Clone(old.Indexes), e.index)
		if old.Recovery || old.Holder != p.Holder {
			e.void(EnrolOtherHolder)
		}
		if old.Revoked != nil && old.Revoked.Reason != record.Retired {
			e.void(KeyRevoked)
		}
	}
	if info.expired(e.now) {
		e.void(KeyExpired)
	}
	if err := e.putKey(kid, info); err != nil {
		return err
	}
	for _, role := range watched {
		if err := e.listRole(role, kid, info.has(role)); err != nil {
			return err
		}
	}
	return e.checkReach(before)
}

func (e *exam) revoke(p *record.KeyRevoke) error {
	if p.Reason == record.Compromised {
		if err := e.contest(p); err != nil {
			return err
		}
	}
	own := len(e.signers) == 1 && e.signers[0].header.KID == p.KID
	if !own {
		e.registrarsSign(p.Reason == record.Compromised, func(s signer) bool {
			return s.header.KID == p.KID && !s.key.has(record.RoleRegistrar)
		})
	}
	old, err := cached[KeyInfo](&e.rows, rowKey+p.KID)
	if err != nil {
		return err
	}
	switch {
	case old == nil || old.Recovery:
		e.void(RevokeUnknown)
		return nil
	case old.Revoked != nil && (p.Reason != record.Compromised || old.Revoked.Reason == record.Compromised):
		e.void(RevokeUnknown)
	}
	before, err := e.reach()
	if err != nil {
		return err
	}
	info := *old
	info.Revoked = &Revocation{Index: e.index, Reason: p.Reason, Since: p.Since}
	if old.Revoked != nil {
		info.Revoked.Index = old.Revoked.Index // it ended there already
	}
	if err := e.putJSON(rowKey+p.KID, &info); err != nil {
		return err
	}
	for _, role := range watched {
		if err := e.listRole(role, p.KID, false); err != nil {
			return err
		}
	}
	if p.Reason == record.Retired {
		return e.checkReach(before)
	}
	return nil
}

// listRole keeps the list of keys that hold a watched role.
func (e *exam) listRole(role record.Role, kid string, holds bool) error {
	list, err := cached[[]string](&e.rows, rowRole+string(role))
	if err != nil {
		return err
	}
	var kids []string
	if list != nil {
		kids = slices.Clone(*list)
	}
	kids = slices.DeleteFunc(kids, func(k string) bool { return k == kid })
	if holds {
		kids = append(kids, kid)
	}
	return e.putJSON(rowRole+string(role), kids)
}

// contest tells which entries the key may not have signed in good hands.
func (e *exam) contest(p *record.KeyRevoke) error {
	n, err := e.firstStep(e.time.steps, func(s stepRow) bool { return s.after >= p.Since.Unix() })
	if err != nil {
		return err
	}
	first := int64(0)
	if n > 0 {
		s, err := e.step(n - 1)
		if err != nil {
			return err
		}
		first = s.covers
	}
	e.findf(KeyContested, "what %s signed in entries %d to %d, since %s, is to be confirmed", p.KID, first, e.index-1, p.Since)
	return nil
}

// quorums returns those of the watched roles.
func quorums(c *record.Terms) map[record.Role]int64 {
	return map[record.Role]int64{
		record.RoleRegistrar: c.RegistrarQuorum, record.RoleAdministration: c.AdministrationQuorum,
	}
}

// reach counts the distinct holders of each watched role with a key in force.
func (e *exam) reach() (map[record.Role]int64, error) { return e.reachAt(e.now) }

// reachAt is reach at another time.
func (r *rows) reachAt(time int64) (map[record.Role]int64, error) {
	reach := map[record.Role]int64{}
	for _, role := range watched {
		kids, err := cached[[]string](r, rowRole+string(role))
		if err != nil {
			return nil, err
		}
		holders := map[string]bool{}
		for i := 0; kids != nil && i < len(*kids); i++ {
			k, err := cached[KeyInfo](r, rowKey+(*kids)[i])
			if err != nil {
				return nil, err
			}
			if k != nil && k.Revoked == nil && !k.expired(time) {
				holders[k.Holder] = true
			}
		}
		reach[role] = int64(len(holders))
	}
	return reach, nil
}

// checkReach voids the record if after it a watched role has fewer holders with
// a key in force than its quorum and than before. What was out of reach before
// does not void it: nobody could come back from there, one key at a time.
func (e *exam) checkReach(before map[record.Role]int64) error {
	after, err := e.reach()
	if err != nil {
		return err
	}
	for role, quorum := range quorums(&e.charter.Charter.Terms) {
		if after[role] < quorum && after[role] < before[role] {
			e.void(QuorumUnreachable)
		}
	}
	return nil
}
