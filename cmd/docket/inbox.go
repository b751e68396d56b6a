package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// draftPrefix begins the id of a draft in the inbox of a ledger.
const draftPrefix = "draft-"

// isDraftID reports whether s has the form of the id of a draft.
func isDraftID(s string) bool {
	hash, ok := strings.CutPrefix(s, draftPrefix)
	return ok && isKID(hash) // both are 32 bytes of base64url
}

// draftID returns the id that a draft has in every inbox.
func draftID(u *record.Unverified) string {
	sum := sha256.Sum256(u.PayloadBytes())
	return draftPrefix + base64.RawURLEncoding.EncodeToString(sum[:])
}

// opened reads the record of a draft, which must be the one that its id names.
func opened(d client.Draft) (*record.Unverified, error) {
	u, err := record.ParseDraft(d.Record)
	if err != nil {
		return nil, fmt.Errorf("%s of the ledger's inbox: %w", telling.Plain(d.ID), err)
	}
	if id := draftID(u); id != d.ID {
		return nil, fmt.Errorf("the ledger's inbox holds %s under the name %s", id, telling.Plain(d.ID))
	}
	return u, nil
}

// sourceOf returns where a draft is: in the inbox of a ledger, or in a file, from
// where it goes to the inbox if post is set.
func sourceOf(arg, url string, post bool, key *identity) (draftSource, error) {
	if !post && !isDraftID(arg) {
		return draftFile(arg), nil
	}
	c, err := connect(url)
	if err != nil {
		return nil, err
	}
	if isDraftID(arg) {
		return inboxDraft{client: c, url: url, id: arg, key: key}, nil
	}
	return postedFile{draftFile(arg), inboxDraft{client: c, url: url, key: key}}, nil
}

// An inboxDraft is a draft in the inbox of a ledger.
type inboxDraft struct {
	client *client.Client
	url    string
	id     string
	key    *identity
}

func (d inboxDraft) name() string { return d.id }

func (d inboxDraft) read(ctx context.Context) (*record.Unverified, error) {
	got, err := d.client.Draft(ctx, d.key, d.id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not in the ledger's inbox, or no more: it was logged, has expired or was deleted. What is there: docket inbox --ledger %s %s",
			d.id, quoted(d.url), d.key.flags)
	}
	if err != nil {
		return nil, told(err)
	}
	u, err := opened(got)
	if err == nil && got.ID != d.id {
		err = fmt.Errorf("the ledger gave another draft, %s", got.ID)
	}
	return u, err
}

// write posts the draft. Until it is posted the signature is in a file, too: its
// number is used, so it must not be lost.
func (d inboxDraft) write(ctx context.Context, signed *record.Unverified) (string, error) {
	file := d.id + ".draft"
	if err := replaceFile(file, signed.Bytes(), 0o644); err != nil {
		return "", err
	}
	fate, err := d.post(ctx, signed, file)
	if err != nil {
		return "", err
	}
	return fate, os.Remove(file)
}

// post gives a signed draft to the inbox. file is where it can be had if that
// fails.
func (d inboxDraft) post(ctx context.Context, signed *record.Unverified, file string) (string, error) {
	posted, err := d.client.PostDraft(ctx, d.key, signed.Bytes())
	if err != nil {
		again := fmt.Sprintf("Your signature is in %s. Once that is settled:\n  docket sign %s --post %s --ledger %s", file, quoted(file), d.key.flags, quoted(d.url))
		err = told(err)
		if cli.Code(err) == 3 {
			return "", cli.Unknown(fmt.Errorf("the draft is signed and not in the inbox: %w\n%s", err, again))
		}
		return "", fmt.Errorf("the draft is signed and not in the inbox: %w\n%s", err, again)
	}
	var who []string
	for _, s := range posted.Signers {
		who = append(who, telling.Plain(s.Holder))
	}
	return fmt.Sprintf("it waits in the inbox until %s, signed by %s\n  to sign it:    docket sign %s --ledger %s --key KEY\n  when it is complete: docket submit %s --ledger %s %s",
		posted.Expires, strings.Join(who, ", "), draftID(signed), quoted(d.url), draftID(signed), quoted(d.url), d.key.flags), nil
}

// A postedFile is a draft in a file that goes to the inbox once it is signed.
type postedFile struct {
	draftFile
	inbox inboxDraft
}

func (f postedFile) write(ctx context.Context, signed *record.Unverified) (string, error) {
	if _, err := f.draftFile.write(ctx, signed); err != nil {
		return "", err
	}
	return f.inbox.post(ctx, signed, f.name())
}

// A waiting is a draft of the inbox, and what it is to whoever looks.
type waiting struct {
	client.Draft
	// ForYou says that it waits for your signature, as far as roles and
	// clauses tell.
	ForYou bool `json:"for_you"`
}

func inbox(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket inbox")
	keys := addKeyFlags(flags)
	url := flags.String("ledger", "", "`URL` of the ledger, required")
	all := flags.Bool("all", false, "list also what waits for others")
	asJSON := flags.Bool("json", false, "print the drafts as JSON, each with for_you")
	if _, err := keys.parse(flags, args, 0, 0, "", "docket inbox --ledger https://ledger.example.com --key my.jwk"); err != nil {
		return err
	}
	if err := flags.Require("ledger"); err != nil {
		return err
	}
	c, err := connect(*url)
	if err != nil {
		return err
	}
	key, err := keys.open(ctx, std)
	if err != nil {
		return err
	}
	defer key.close()
	drafts, err := c.Drafts(ctx, key)
	if err != nil {
		return told(err)
	}
	me, err := c.Key(ctx, key.jwk.KID())
	if err != nil {
		return told(err)
	}
	shown := []waiting{}
	for _, d := range drafts {
		u, err := opened(d)
		if err != nil {
			return err
		}
		forYou, err := waitsFor(ctx, c, me, d, u)
		if err != nil {
			return told(err)
		}
		if forYou || *all {
			shown = append(shown, waiting{d, forYou})
		}
	}
	if *asJSON {
		return printJSON(std, map[string]any{"drafts": shown})
	}
	return printInbox(shown, me, *url, key, std)
}

func printInbox(shown []waiting, me client.Key, url string, key *identity, std cli.Streams) error {
	if len(shown) == 0 {
		_, err := fmt.Fprintf(std.Out, "Nothing waits for %s.\n", telling.Plain(me.Holder))
		return err
	}
	for _, d := range shown {
		what := string(d.Type)
		if d.Case != "" {
			what += ", case " + d.Case
		}
		var who []string
		for _, s := range d.Signers {
			who = append(who, s.Holder)
		}
		fmt.Fprintf(std.Out, "%s\n  %s\n  signed by %s; expires %s\n", d.ID, telling.Plain(what), telling.Plain(strings.Join(who, ", ")), d.Expires)
		if d.ForYou {
			fmt.Fprintf(std.Out, "  waits for you: docket sign %s %s --ledger %s\n", d.ID, key.flags, quoted(url))
		}
	}
	return nil
}

// signingRoles are the roles that a type of record asks for, but for what the
// clauses of a decision add.
var signingRoles = map[record.Type][]record.Role{
	record.TypeCharterAmend:  {record.RoleAdministration},
	record.TypeKeyEnrol:      {record.RoleRegistrar},
	record.TypeKeyRevoke:     {record.RoleRegistrar},
	record.TypePolicyPublish: {record.RolePolicy},
	record.TypePolicyRepeal:  {record.RolePolicy},
	record.TypeIntake:        {record.RoleIntake},
	record.TypeNotice:        {record.RoleDecider},
	record.TypeDecision:      {record.RoleDecider},
	record.TypeRatification:  {record.RoleRatifier, record.RoleDecider},
	record.TypeAppeal:        {record.RoleIntake},
	record.TypeRuling:        {record.RoleAppeals},
	record.TypeErratum:       {record.RoleDecider},
	record.TypeExecution:     {record.RoleEnforcer},
	record.TypeTimemark:      {record.RoleMachine},
	record.TypeExport:        {record.RoleMachine},
	record.TypeErasure:       {record.RolePrivacy},
}

// waitsFor reports whether a draft waits for the signature of a key: its holder
// has not signed yet, and has a role that it asks for.
func waitsFor(ctx context.Context, c *client.Client, me client.Key, d client.Draft, u *record.Unverified) (bool, error) {
	for _, s := range d.Signers {
		if s.KID == me.KID || s.Holder == me.Holder && !me.Recovery {
			return false, nil
		}
	}
	switch p := u.Payload().(type) {
	case *record.KeyEnrol:
		if p.JWK.KID() == me.KID || me.Recovery {
			return true, nil
		}
	case *record.KeyRevoke:
		if me.Recovery {
			return true, nil
		}
	case *record.CharterAmend:
		if me.Recovery {
			return true, nil
		}
	case *record.Decision:
		if asked, err := clauseAsks(ctx, c, p, me.Roles); asked || err != nil {
			return asked, err
		}
	}
	return slices.ContainsFunc(signingRoles[u.Payload().Head().Type], func(r record.Role) bool {
		return slices.Contains(me.Roles, r)
	}), nil
}

// clauseAsks reports whether a clause that a decision rests on wants one of
// these roles beside the deciders.
func clauseAsks(ctx context.Context, c *client.Client, d *record.Decision, roles []record.Role) (bool, error) {
	for _, g := range d.Grounds {
		if g.Clause == "" {
			continue
		}
		r, err := c.Record(ctx, g.Record)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the ledger will refuse the draft
		}
		if err != nil {
			return false, err
		}
		u, err := record.Parse(r.Record)
		if err != nil || u.ID() != g.Record {
			return false, fmt.Errorf("the ledger answered with another record than %s", g.Record)
		}
		p, ok := u.Payload().(*record.PolicyPublish)
		if !ok {
			continue
		}
		for _, l := range p.Clauses {
			if l.Clause != g.Clause {
				continue
			}
			for _, q := range l.Quorums {
				for _, s := range q.Signers {
					if slices.Contains(roles, s.Role) && s.Role != record.RoleDecider {
						return true, nil
					}
				}
			}
		}
	}
	return false, nil
}
