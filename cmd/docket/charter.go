package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

const charterExample = `docket charter new --ledger ledger.example.com/2026 --log-key VKEY --operator "Example Ltd" \
      --contact ledger@example.com --founder ada:registrar+administration:ada.pub.jwk \
      --founder ben:registrar+administration+policy:ben.pub.jwk --recovery safe.pub.jwk \
      --subject-key subject.key --out charter.draft`

func charterNew(_ context.Context, args []string, std cli.Streams) error {
	p := &record.Charter{}
	flags := cli.Flags("docket charter new")
	ledger := originFlag(flags)
	flags.Func("log-key", "`VKEY` of the log (docketd key prints it), required; may be repeated", func(s string) error {
		_, err := verify.ParseVKey(s)
		p.LogKeys = append(p.LogKeys, s)
		return err
	})
	flags.Func("founder", "a founder, as `HOLDER:ROLE+ROLE:FILE`, FILE with the public JWK, required; may be repeated", func(s string) error {
		f, err := parseFounder(s)
		p.Founders = append(p.Founders, f)
		return err
	})
	flags.Func("recovery", "`file` with the public JWK of a recovery key, required; may be repeated", func(s string) error {
		jwk, err := keyfile.ReadPublic(s)
		p.Recovery.Keys = append(p.Recovery.Keys, jwk)
		return err
	})
	flags.Func("witness", "`line` of a tlog-policy: witness, group or quorum; may be repeated (default quorum none)", func(s string) error {
		p.Witnesses = append(p.Witnesses, s)
		return nil
	})
	flags.StringVar(&p.Operator, "operator", "", "`name` of the operator, required")
	flags.StringVar(&p.Contact, "contact", "", "where to write to the operator, `address`, required")
	flags.StringVar(&p.Lang, "lang", "en", "BCP 47 `tag` of the language of its text")
	flags.StringVar(&p.Text, "text", "", "what readers should know, in `words`")
	flags.Int64Var(&p.RegistrarQuorum, "registrar-quorum", 0, "`number` of registrars to enrol and revoke keys (default 2, or 1 if only one founder is one)")
	flags.Int64Var(&p.AdministrationQuorum, "administration-quorum", 0, "`number` of administrators to amend the charter (default 2, or 1 if only one founder is one)")
	flags.Int64Var(&p.PolicyQuorum, "policy-quorum", 0, "`number` of policy owners to publish a policy (default 2, or 1 if only one founder is one)")
	flags.Int64Var(&p.DefaultQuorum, "default-quorum", 2, "`number` of deciders where no clause says more")
	flags.Int64Var(&p.Recovery.Quorum, "recovery-quorum", 0, "`number` of recovery keys that act together (default all)")
	flags.Int64Var(&p.PolicyLead, "policy-lead", 7*24, "`hours` that a policy is public before it is in force")
	flags.Int64Var(&p.DecideTolerance, "decide-tolerance", 24, "`hours` after which a decision is recorded late")
	flags.Int64Var(&p.DraftLife, "draft-life", 30*24, "`hours` that a signature on a draft is good for")
	flags.Int64Var(&p.Tolerance, "tolerance", 300, "`seconds` that clocks may differ")
	historic := flags.Int64("historic-days", 0, "`days`, at most 180, in which decisions from before the ledger may be entered")
	subjectKey := flags.String("subject-key", "", "`file` of the key of the subject pseudonyms, required; made if it is not there")
	out := outFlag(flags)
	if err := flags.ParseArgs(args, 0, 0, "", charterExample); err != nil {
		return err
	}
	if err := flags.Require("ledger", "operator", "contact", "subject-key", "out"); err != nil {
		return err
	}
	p.Ledger, p.Rules = *ledger, rules.Version
	fillCharter(p, *historic)
	if err := checkCharter(p); err != nil {
		return err
	}
	key, made, err := subjectKeyAt(*subjectKey)
	if err != nil {
		return err
	}
	if made {
		fmt.Fprintf(std.Err, "docket: made the subject key %s: the staff needs it, and nobody else\n", *subjectKey)
	}
	p.SubjectKeyHash = key.Hash()
	if p.PolicyLead == 0 {
		fmt.Fprintln(std.Err, "docket: --policy-lead 0 lets a rule be in force the moment it is published; a real ledger gives readers days")
	}
	return writeDraft(p, *out, "all founders and all recovery keys, with docket charter sign", std)
}

// fillCharter sets what depends on the founders and the clock.
func fillCharter(p *record.Charter, historicDays int64) {
	for _, q := range []struct {
		quorum *int64
		role   record.Role
	}{{&p.RegistrarQuorum, record.RoleRegistrar}, {&p.AdministrationQuorum, record.RoleAdministration}, {&p.PolicyQuorum, record.RolePolicy}} {
		if *q.quorum == 0 {
			*q.quorum = max(1, min(2, foundersWith(p, q.role)))
		}
	}
	if p.Recovery.Quorum == 0 {
		p.Recovery.Quorum = int64(len(p.Recovery.Keys))
	}
	if len(p.Witnesses) == 0 {
		p.Witnesses = []string{"quorum none"}
	}
	if historicDays > 0 {
		p.HistoricUntil = record.Time(time.Now().Unix() + historicDays*24*3600)
	}
}

// foundersWith counts the distinct holders of a role.
func foundersWith(p *record.Charter, role record.Role) int64 {
	holders := map[string]bool{}
	for _, f := range p.Founders {
		if slices.Contains(f.Roles, role) {
			holders[f.Holder] = true
		}
	}
	return int64(len(holders))
}

// checkCharter finds what the rules would refuse when it is too late to ask.
func checkCharter(p *record.Charter) error {
	switch {
	case len(p.LogKeys) == 0:
		return cli.Usage(errors.New("docket charter new: --log-key is missing"))
	case len(p.Founders) == 0:
		return cli.Usage(errors.New("docket charter new: --founder is missing"))
	case len(p.Recovery.Keys) == 0:
		return cli.Usage(errors.New("docket charter new: --recovery is missing: without a recovery key a lost key can be the end of the ledger"))
	}
	for _, q := range []struct {
		quorum int64
		role   record.Role
	}{{p.RegistrarQuorum, record.RoleRegistrar}, {p.AdministrationQuorum, record.RoleAdministration}} {
		if n := foundersWith(p, q.role); n < q.quorum {
			return cli.Usage(fmt.Errorf("%d of the founders hold the role %s, and %d must sign: add the role to more of them", n, q.role, q.quorum))
		}
	}
	return nil
}

func parseFounder(s string) (record.Founder, error) {
	parts := strings.SplitN(s, ":", 3)
	if len(parts) != 3 {
		return record.Founder{}, errors.New("want HOLDER:ROLE+ROLE:FILE")
	}
	roles, err := parseRoles(parts[1])
	if err != nil {
		return record.Founder{}, err
	}
	jwk, err := keyfile.ReadPublic(parts[2])
	return record.Founder{Holder: parts[0], Roles: roles, JWK: jwk}, err
}

func parseRoles(s string) ([]record.Role, error) {
	var roles []record.Role
	for word := range strings.SplitSeq(s, "+") {
		role := record.Role(word)
		if !slices.Contains(record.Roles, role) {
			return nil, fmt.Errorf("%q is no role, want one of %s%s", word, list(record.Roles), cli.Suggest(word, texts(record.Roles)))
		}
		roles = append(roles, role)
	}
	return roles, nil
}

// subjectKeyAt reads a subject key, or makes one.
func subjectKeyAt(path string) (key keyfile.SubjectKey, made bool, err error) {
	key, err = keyfile.ReadSubjectKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = keyfile.NewSubjectKey(path)
		return key, err == nil, err
	}
	return key, false, err
}
