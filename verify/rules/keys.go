package rules

import (
	"slices"

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
	for _, f := range p.Founders {
		keys[f.JWK.KID()] = &KeyInfo{JWK: f.JWK, Holder: f.Holder, Roles: f.Roles, Indexes: []int64{0}, ValidUntil: f.ValidUntil}
	}
	for _, k := range p.Recovery.Keys {
		keys[k.KID()] = &KeyInfo{JWK: k, Holder: "recovery-key-" + k.KID(), Indexes: []int64{0}, Recovery: true}
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
		if err := e.putJSON(rowKey+h.KID, k); err != nil {
			return err
		}
		e.put(rowSeq+h.KID, intervals{1, 1}.encode())
	}
	if p.HistoricUntil != 0 && p.HistoricUntil.Unix() > e.now+180*24*3600 {
		e.void(HistoricNotPermitted)
	}
	for _, role := range watched {
		if err := e.putJSON(rowRole+string(role), kids[role]); err != nil {
			return err
		}
	}
	e.charter = &CharterInfo{Charter: p, Time: e.now}
	if err := e.putJSON(rowCharter, e.charter); err != nil {
		return err
	}
	if err := e.checkReach(e.quorums()); err != nil {
		return err
	}
	return e.tick()
}

// registrarsSign voids the record unless its signers, without those left out,
// are enough registrars or enough recovery keys. one says that a single
// registrar will do.
func (e *exam) registrarsSign(one bool, leftOut func(signer) bool) {
	registrars, recovery := map[string]bool{}, map[string]bool{}
	for _, s := range e.signers {
		switch {
		case leftOut(s):
		case s.key.Recovery:
			recovery[s.key.Holder] = true
		case s.key.has(record.RoleRegistrar):
			registrars[s.key.Holder] = true
		default:
			e.void(RoleMissing)
		}
	}
	quorum := e.charter.Charter.RegistrarQuorum
	if one {
		quorum = 1
	}
	if len(recovery) > 0 {
		e.find(RecoveryUsed)
	}
	if int64(len(registrars)) < quorum && int64(len(recovery)) < e.charter.Charter.Recovery.Quorum {
		e.void(QuorumShort)
	}
}

func (e *exam) enrol(p *record.KeyEnrol) error {
	kid := p.JWK.KID()
	e.registrarsSign(false, func(s signer) bool { return s.isNew })
	if !slices.ContainsFunc(e.signers, func(s signer) bool { return s.isNew }) {
		e.void(EnrolPossession)
	}
	old, err := cached[KeyInfo](e, rowKey+kid)
	if err != nil {
		return err
	}
	before, err := e.reach()
	if err != nil {
		return err
	}
	info := &KeyInfo{JWK: p.JWK, Holder: p.Holder, Roles: p.Roles, Indexes: []int64{e.index}, ValidUntil: p.ValidUntil}
	if old != nil {
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
	if err := e.putJSON(rowKey+kid, info); err != nil {
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
		e.find(KeyContested)
	}
	own := len(e.signers) == 1 && e.signers[0].header.KID == p.KID
	if !own {
		e.registrarsSign(p.Reason == record.Compromised, func(s signer) bool {
			return s.header.KID == p.KID && !s.key.has(record.RoleRegistrar)
		})
	}
	old, err := cached[KeyInfo](e, rowKey+p.KID)
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
	list, err := cached[[]string](e, rowRole+string(role))
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

// quorums returns those of the watched roles.
func (e *exam) quorums() map[record.Role]int64 {
	c := e.charter.Charter
	return map[record.Role]int64{
		record.RoleRegistrar: c.RegistrarQuorum, record.RoleAdministration: c.AdministrationQuorum,
	}
}

// reach counts the distinct holders of each watched role with a key in force.
func (e *exam) reach() (map[record.Role]int64, error) {
	reach := map[record.Role]int64{}
	for _, role := range watched {
		kids, err := cached[[]string](e, rowRole+string(role))
		if err != nil {
			return nil, err
		}
		holders := map[string]bool{}
		for i := 0; kids != nil && i < len(*kids); i++ {
			k, err := cached[KeyInfo](e, rowKey+(*kids)[i])
			if err != nil {
				return nil, err
			}
			if k != nil && k.Revoked == nil && !k.expired(e.now) {
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
	for role, quorum := range e.quorums() {
		if after[role] < quorum && after[role] < before[role] {
			e.void(QuorumUnreachable)
		}
	}
	return nil
}
