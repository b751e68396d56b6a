package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// connect returns a client for the URL of a ledger; it sends nothing.
func connect(base string) (*client.Client, error) {
	c, err := client.New(base)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("--ledger: %w", err))
	}
	return c, nil
}

// told turns the error of a client into words and an exit code: what the ledger
// refuses is said with all its reasons, what it could not answer is unknown.
func told(err error) error {
	var p *problem.Problem
	if err == nil || !errors.As(err, &p) {
		if err == nil {
			return nil
		}
		return cli.Unknown(err)
	}
	if p.Code == "" || p.Status >= 500 && p.Status != http.StatusNotImplemented || p.Status == http.StatusTooManyRequests {
		if p.RetryAfter > 0 {
			return cli.Unknown(fmt.Errorf("%w; try again in %v, sending the same again is safe", err, p.RetryAfter))
		}
		return cli.Unknown(err)
	}
	if len(p.Codes) == 0 {
		return err
	}
	lines := []string{"the ledger refused it, and keeps no trace of it:"}
	for _, r := range p.Codes {
		lines = append(lines, fmt.Sprintf("  %s (%s)", telling.Plain(r.Text), telling.Plain(r.Code)))
	}
	if len(p.Codes) == 1 && p.Detail != "" && p.Detail != "refused: "+p.Codes[0].Code {
		lines = append(lines, "  "+telling.Plain(strings.TrimPrefix(p.Detail, p.Codes[0].Code+": ")))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// follow returns a client that believes only what a trust policy bears out, and
// what fits all that memory holds of the ledger. Without a policy it trusts the
// key that is remembered, else, on first use, the one that the ledger names.
func follow(ctx context.Context, c *client.Client, origin, trust string, memory *client.Memory, std cli.Streams) (*client.Follower, error) {
	policy, err := trustIn(trust)
	if err != nil {
		return nil, err
	}
	own := memory.Ledger(origin)
	if policy == nil && own.VKey == "" {
		info, err := c.Info(ctx)
		if err != nil {
			return nil, told(err)
		}
		if info.Origin != origin {
			return nil, otherLedger(origin, fmt.Errorf("it is %s", telling.Plain(info.Origin)))
		}
		own.VKey = info.VKey
		fmt.Fprintf(std.Err, "docket: meeting this ledger for the first time; it says that its key is\n  %s\n  Compare it with what its operator published, or give --policy.\n", telling.Plain(info.VKey))
	}
	return c.Follow(origin, policy, memory)
}

// prepareFrom asks the ledger for the key's next number and for its newest
// checkpoint, which must extend the one that is remembered, as must all that
// those saw who signed before.
func (s *signing) prepareFrom(ctx context.Context, base, trust string, std cli.Streams) error {
	c, err := connect(base)
	if err != nil {
		return err
	}
	f, err := follow(ctx, c, s.draft.Payload().Head().Ledger, trust, s.memory, std)
	if err != nil {
		return err
	}
	origin := s.draft.Payload().Head().Ledger
	if _, err := f.Head(ctx); err != nil {
		return distrust(err, origin)
	}
	next, err := s.enrolled(ctx, c)
	if err != nil {
		return err
	}
	keys, err := f.Signers(ctx, s.draft)
	if err != nil {
		return distrust(err, origin)
	}
	s.names = map[string]string{}
	for kid, k := range keys {
		s.names[kid] = k.Holder
	}
	s.cited = citedBy(ctx, c, s.draft.Payload())
	return s.number(next)
}

func otherLedger(origin string, err error) error {
	return fmt.Errorf("the draft is for %s, and at --ledger is another ledger: %w", origin, err)
}

// distrust turns the error of a client.Follower of a ledger into words and an
// exit code.
func distrust(err error, origin string) error {
	switch {
	case errors.Is(err, client.ErrSplit):
		return fmt.Errorf("%w; nothing was signed", err)
	case errors.Is(err, verify.ErrOrigin):
		return otherLedger(origin, err)
	case errors.Is(err, verify.ErrUnknownLog):
		return otherKey(err)
	case errors.Is(err, client.ErrUnproven), errors.Is(err, client.ErrMemoryUsed), record.CodeOf(err) != "":
		return err
	}
	return told(err)
}

// otherKey says what to do about a checkpoint of another log key.
func otherKey(err error) error {
	return fmt.Errorf("%w. It is another ledger under the same name, or its operator has changed the log key: then the operator publishes "+
		"a checkpoint signed by both keys and a new trust policy. Compare them with somebody else who follows this ledger; "+
		"given once with --policy, the new policy is remembered", err)
}

// citedBy asks for what a record cites, and a decision for the like cases that there
// are now.
func citedBy(ctx context.Context, c *client.Client, p record.Payload) cited {
	all := cited{rules: rulesOf(ctx, c, p)}
	if d, ok := p.(*record.Decision); ok {
		all.like, all.unlike = likeCases(ctx, c, d)
		all.precedents = precedentsOf(ctx, c, d, all.like)
	}
	return all
}

// rulesOf asks for the policies that a record cites. An answer is believed only if
// it has the id that is cited; what the ledger does not answer stays unknown.
func rulesOf(ctx context.Context, c *client.Client, p record.Payload) map[record.ID]*record.PolicyPublish {
	var grounds []record.Ground
	switch p := p.(type) {
	case *record.Decision:
		grounds = p.Grounds
	case *record.Notice:
		grounds = p.Grounds
	}
	all := map[record.ID]*record.PolicyPublish{}
	for _, g := range grounds {
		if g.Policy == "" || all[g.Record] != nil {
			continue
		}
		e, err := c.Record(ctx, g.Record)
		if err != nil || record.IDOf(e.Record) != g.Record {
			continue
		}
		if policy, err := policyIn(e.Record); err == nil {
			all[g.Record] = policy
		}
	}
	return all
}

// holdersOf asks who holds the keys that signed. Whom the ledger does not name
// stays without a name.
func holdersOf(ctx context.Context, c *client.Client, u *record.Unverified) map[string]string {
	names := map[string]string{}
	for _, h := range u.Headers() {
		if k, err := c.Key(ctx, h.KID); err == nil {
			names[h.KID] = k.Holder
		}
	}
	return names
}

// enrolled asks what the ledger knows of the key, and returns its next number.
func (s *signing) enrolled(ctx context.Context, c *client.Client) (next int64, err error) {
	kid := s.key.jwk.KID()
	k, err := c.Key(ctx, kid)
	switch {
	case errors.Is(err, fs.ErrNotExist) && holders(s.draft.Payload())[kid] != "": // its own enrolment
		s.as = holders(s.draft.Payload())[kid]
		return 1, nil
	case errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("the ledger %s has never enrolled the key of %s (kid %s)%s: see docket key enrol",
			s.draft.Payload().Head().Ledger, s.key.name, kid, s.elsewhere())
	case err != nil:
		return 0, told(err)
	case k.Revoked != nil:
		return 0, fmt.Errorf("the key of %s was revoked (%s), by entry %d", s.key.name, k.Revoked.Reason, k.Revoked.Index)
	}
	s.as = k.Holder
	if len(k.Roles) > 0 {
		s.as += " (" + list(k.Roles) + ")"
	}
	return k.NextSeq, nil
}

// reasons prints the reasons of a standing.
func reasons(std cli.Streams, codes ...[]problem.Reason) {
	for _, r := range slices.Concat(codes...) {
		fmt.Fprintf(std.Out, "  %s (%s)\n", telling.Plain(r.Text), telling.Plain(r.Code))
	}
}
