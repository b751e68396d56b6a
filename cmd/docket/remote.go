package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// connect returns a client for the URL of a ledger; it sends nothing.
func connect(base string) (*client.Client, error) {
	c, err := client.New(base)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("--ledger: %w", err))
	}
	return c, nil
}

// noAnswer reports whether err is one of a client.
func noAnswer(err error) bool {
	var transport *url.Error
	var p *problem.Problem
	return errors.As(err, &transport) || errors.As(err, &p)
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
		lines = append(lines, fmt.Sprintf("  %s (%s)", cli.Plain(r.Text), cli.Plain(r.Code)))
	}
	if len(p.Codes) == 1 && p.Detail != "" && p.Detail != "refused: "+p.Codes[0].Code {
		lines = append(lines, "  "+cli.Plain(strings.TrimPrefix(p.Detail, p.Codes[0].Code+": ")))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// trustOr returns the trust policy in a file. Without a file it trusts the key
// that the ledger itself names, which only shows that the ledger is of one piece.
func trustOr(ctx context.Context, c *client.Client, file string, std cli.Streams) (*verify.Policy, error) {
	policy, err := trustIn(file)
	if err != nil || policy != nil {
		return policy, err
	}
	info, err := c.Info(ctx)
	if err != nil {
		return nil, told(err)
	}
	fmt.Fprintf(std.Err, "docket: checking with the key that the ledger names itself; give --policy to check with the key that you trust\n")
	return pinned(info.VKey)
}

// prepareFrom asks the ledger for the key's next number and for its newest
// checkpoint, which must extend the one that is remembered. The log's key is
// that of the trust policy, else the one that is remembered, else, on first use,
// the one that the ledger names.
func (s *signing) prepareFrom(ctx context.Context, base, trust string, std cli.Streams) error {
	c, err := connect(base)
	if err != nil {
		return err
	}
	policy, err := trustIn(trust)
	if err != nil {
		return err
	}
	if policy == nil && s.own.VKey == "" {
		info, err := c.Info(ctx)
		if err != nil {
			return told(err)
		}
		s.own.VKey = info.VKey
		fmt.Fprintf(std.Err, "docket: meeting this ledger for the first time, and remembering its key:\n  %s\n  Compare it with what its operator published, or give --policy.\n", info.VKey)
	}
	err = s.own.advance(ctx, c, s.draft.Payload().Head().Ledger, policy, s.keyFile)
	if noAnswer(err) {
		return told(err)
	}
	if err != nil {
		return err
	}
	next, err := s.enrolled(ctx, c)
	if err != nil {
		return err
	}
	s.names = holdersOf(ctx, c, s.draft)
	return s.number(next)
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
	kid := s.jwk.KID()
	k, err := c.Key(ctx, kid)
	switch {
	case errors.Is(err, fs.ErrNotExist) && holders(s.draft.Payload())[kid] != "": // its own enrolment
		s.as = holders(s.draft.Payload())[kid]
		return 1, nil
	case errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("the ledger has never enrolled the key of %s (%s): see docket key enrol", s.keyFile, kid)
	case err != nil:
		return 0, told(err)
	case k.Revoked != nil:
		return 0, fmt.Errorf("the key of %s was revoked (%s), by entry %d", s.keyFile, k.Revoked.Reason, k.Revoked.Index)
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
		fmt.Fprintf(std.Out, "  %s (%s)\n", cli.Plain(r.Text), cli.Plain(r.Code))
	}
}
