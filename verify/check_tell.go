package verify

import "github.com/docket-ledger/docket/verify/record"

// What a receipt tells of signers and clauses.

// signer finds the last record that enrolled a key.
func (c *checker) signer(h record.Header) Signer {
	s := Signer{Header: h}
	for _, r := range c.supported {
		switch p := r.record.Payload().(type) {
		case *record.Charter:
			for _, f := range p.Founders {
				if f.JWK.KID() == h.KID {
					s.Holder, s.Roles, s.Enrolled = f.Holder, f.Roles, r.index
				}
			}
			for _, k := range p.Recovery.Keys {
				if k.KID() == h.KID {
					s.Holder, s.Recovery, s.Enrolled = "recovery key", true, r.index
				}
			}
		case *record.CharterAmend:
			for _, k := range p.Recovery.Keys {
				if k.KID() == h.KID && s.Holder == "" {
					s.Holder, s.Recovery, s.Enrolled = "recovery key", true, r.index
				}
			}
		case *record.Appeal:
			if p.FilerJWK != nil && p.FilerJWK.KID() == h.KID && s.Holder == "" {
				s.Holder, s.Filer, s.Enrolled = "the filer", true, r.index
			}
		case *record.KeyEnrol:
			if p.JWK.KID() == h.KID {
				s.Holder, s.Roles, s.Enrolled = p.Holder, p.Roles, r.index
			}
		}
	}
	return s
}

// clause finds a clause that is cited among the support.
func (c *checker) clause(g record.Ground) (CitedClause, bool) {
	for _, r := range c.supported {
		p, ok := r.record.Payload().(*record.PolicyPublish)
		if !ok || r.record.ID() != g.Record {
			continue
		}
		for _, l := range p.Clauses {
			if l.Clause == g.Clause {
				return CitedClause{Ground: g, Title: p.Title, Clause: l, Published: r.index,
					PublishedAt: record.Time(newestIAT(r.record.Headers())), Historic: p.Historic != nil}, true
			}
		}
	}
	return CitedClause{}, false
}

func newestIAT(headers []record.Header) int64 {
	newest := int64(0)
	for _, h := range headers {
		newest = max(newest, h.IAT)
	}
	return newest
}
