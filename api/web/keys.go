package web

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
)

// keysOnPage is how many keys the list shows.
const keysOnPage = 200

// roleWords say what somebody with a role may do.
var roleWords = map[record.Role]string{
	record.RoleAdministration: "change the charter of the ledger",
	record.RoleRegistrar:      "enrol and revoke keys",
	record.RolePolicy:         "publish and repeal policies",
	record.RoleDecider:        "take decisions, and tell the subjects of them",
	record.RoleIntake:         "record reports and complaints that arrived",
	record.RoleRatifier:       "approve afterwards what was decided in an emergency, or recorded late",
	record.RoleAppeals:        "rule on complaints",
	record.RoleEnforcer:       "report what was carried out",
	record.RolePrivacy:        "erase sealed parts of records",
	record.RoleMachine:        "record times that witnesses have shown, and what was reported elsewhere",
}

// A roleLine is a role, and how many people may act in it now.
type roleLine struct {
	Role    record.Role
	May     string
	Holders int
}

// A keyLine is a key in a list.
type keyLine struct {
	ledger.Key
	Who   string
	State mark
}

// Keys is the list of the keys, and who may do what.
func (p *Pages) Keys(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	list, err := p.ledger.Keys(ctx, ledger.Page{Limit: keysOnPage, After: r.URL.Query().Get("cursor")})
	if err != nil {
		return err
	}
	terms, err := p.ledger.Terms(ctx)
	if err != nil {
		return err
	}
	now, err := p.time(ctx)
	if err != nil {
		return err
	}
	v := struct {
		Roles []roleLine
		Keys  []keyLine
		Next  string
		Needs rows
	}{}
	for _, k := range list.Items {
		v.Keys = append(v.Keys, keyLine{k, holderOf(k), keyState(k, now)})
	}
	slices.SortStableFunc(v.Keys, func(a, b keyLine) int { return int(a.Number - b.Number) })
	if list.More {
		v.Next = list.Items[len(list.Items)-1].KID
	} else if r.URL.Query().Get("cursor") == "" {
		v.Roles = roleLines(v.Keys)
	}
	v.Needs.text("To change the charter", people(record.Quorum{Role: record.RoleAdministration, Count: terms.AdministrationQuorum}))
	v.Needs.text("To enrol or revoke a key", people(record.Quorum{Role: record.RoleRegistrar, Count: terms.RegistrarQuorum}))
	v.Needs.text("To publish or repeal a policy", people(record.Quorum{Role: record.RolePolicy, Count: terms.PolicyQuorum}))
	v.Needs.text("To decide, unless the clause says otherwise", people(record.Quorum{Role: record.RoleDecider, Count: terms.DefaultQuorum}))
	return p.render(w, r, http.StatusOK, "keys.html", v)
}

// time is the ledger time.
func (p *Pages) time(ctx context.Context) (record.Time, error) {
	info, err := p.ledger.Info(ctx)
	return info.Time, err
}

// roleLines counts the holders of keys that may sign now, by role.
func roleLines(keys []keyLine) []roleLine {
	var all []roleLine
	for _, role := range record.Roles {
		holders := map[string]bool{}
		for _, k := range keys {
			if k.State.Class == "ok" && slices.Contains(k.Roles, role) {
				holders[k.Holder] = true
			}
		}
		all = append(all, roleLine{role, roleWords[role], len(holders)})
	}
	return all
}

// keyState says where a key stands at a time.
func keyState(k ledger.Key, now record.Time) mark {
	switch {
	case k.Revoked != nil && k.Revoked.Reason == record.Compromised:
		return mark{"void", "revoked: in other hands"}
	case k.Revoked != nil:
		return mark{"", "revoked"}
	case k.ValidUntil != 0 && k.ValidUntil < now:
		return mark{"", "ran out"}
	case k.Recovery:
		return mark{"warn", "for recovery only"}
	case len(k.Roles) == 0:
		return mark{"", "without a role"}
	}
	return mark{"ok", "may sign"}
}

// A keyView is a key, and what was signed with it.
type keyView struct {
	ledger.Key
	Who    string
	State  mark
	Roles  []roleLine
	Rows   rows
	JWK    string
	Signed []hitView
	Total  int64
	All    string
	Others []keyLine // of the same holder
}

// signedOnPage is how many records the page of a key shows.
const signedOnPage = 10

// Key is the page of a key, by its thumbprint.
func (p *Pages) Key(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	k, err := p.ledger.Key(ctx, r.PathValue("kid"))
	if err != nil {
		return err
	}
	now, err := p.time(ctx)
	if err != nil {
		return err
	}
	v := keyView{Key: k, Who: holderOf(k), State: keyState(k, now)}
	for _, role := range k.Roles {
		v.Roles = append(v.Roles, roleLine{Role: role, May: roleWords[role]})
	}
	jwk, err := json.MarshalIndent(k.JWK, "", "  ")
	if err != nil {
		return err
	}
	v.JWK = string(jwk)
	if err := p.keyRows(ctx, &v); err != nil {
		return err
	}
	q := index.Query{Where: map[index.Field][]string{index.Signer: {k.KID}}}
	found, err := p.index.Search(ctx, q, ledger.Page{Limit: signedOnPage})
	if err != nil {
		return err
	}
	v.Total, v.All = found.Total, searchURL(q, "", "")
	if v.Signed, err = p.hits(ctx, found.Items); err != nil {
		return err
	}
	if !k.Recovery {
		err = p.othersOf(ctx, &v, now)
	}
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, "key.html", v)
}

// keyRows say since when a key counts, and until when.
func (p *Pages) keyRows(ctx context.Context, v *keyView) error {
	for i, at := range v.Indexes {
		label := "Enrolled by"
		if i > 0 {
			label = "Its roles were changed by"
		}
		if err := p.rowAt(ctx, &v.Rows, label, at); err != nil {
			return err
		}
	}
	v.Rows.at("Valid until", v.ValidUntil)
	if v.Revoked != nil {
		if err := p.rowAt(ctx, &v.Rows, "Revoked by", v.Revoked.Index); err != nil {
			return err
		}
		v.Rows.text("Why", v.Revoked.Reason)
		v.Rows.at("In other hands since, as the revocation says", v.Revoked.Since)
	}
	return nil
}

// rowAt adds a link to the record at an index.
func (p *Pages) rowAt(ctx context.Context, r *rows, label string, at int64) error {
	entries, err := p.ledger.Entries(ctx, at, 1)
	for _, e := range entries {
		r.add(label, value{Text: "entry " + number(at), Href: "/records/" + string(e.ID)})
	}
	return err
}

// othersOf adds the other keys of the holder.
func (p *Pages) othersOf(ctx context.Context, v *keyView, now record.Time) error {
	list, err := p.ledger.Keys(ctx, ledger.Page{Limit: keysOnPage})
	for _, k := range list.Items {
		if k.Holder == v.Holder && k.KID != v.KID && !k.Recovery {
			v.Others = append(v.Others, keyLine{k, holderOf(k), keyState(k, now)})
		}
	}
	return err
}
