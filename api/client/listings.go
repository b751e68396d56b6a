package client

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/api/proof"
)

// maxListing bounds an answer with many records, in bytes.
const maxListing = 32 << 20

// PostDraft gives the ledger a record for others to sign, or adds its signatures
// to the draft that states the same. key is one that has signed it.
func (c *Client) PostDraft(ctx context.Context, key crypto.Signer, record []byte) (Draft, error) {
	var d Draft
	err := c.proven(ctx, key, http.MethodPost, "v1/drafts", record, &d)
	return d, err
}

// Drafts returns what waits for signatures. key is any key in force.
func (c *Client) Drafts(ctx context.Context, key crypto.Signer) ([]Draft, error) {
	var all Drafts
	err := c.proven(ctx, key, http.MethodGet, "v1/drafts", nil, &all)
	return all.Drafts, err
}

// Draft returns one draft. The error wraps fs.ErrNotExist if there is none, or
// none any more: it is logged, expired or deleted.
func (c *Client) Draft(ctx context.Context, key crypto.Signer, id string) (Draft, error) {
	var d Draft
	err := c.proven(ctx, key, http.MethodGet, "v1/drafts/"+url.PathEscape(id), nil, &d)
	return d, err
}

// DeleteDraft deletes a draft and returns what it was. key is one that has signed
// or posted it.
func (c *Client) DeleteDraft(ctx context.Context, key crypto.Signer, id string) (Draft, error) {
	var d Draft
	err := c.proven(ctx, key, http.MethodDelete, "v1/drafts/"+url.PathEscape(id), nil, &d)
	return d, err
}

// SubmitVoid submits a record as Submit does, to be logged as void if the rules
// refuse it. key is one that has signed it.
func (c *Client) SubmitVoid(ctx context.Context, key crypto.Signer, record []byte) (Submitted, error) {
	var s Submitted
	err := c.proven(ctx, key, http.MethodPost, "v1/records?void=log", record, &s)
	return s, err
}

// Policies returns a page of the policies, by name: at most limit of them, 0 for as
// many as the ledger likes to give. cursor is "" or Next of the page before.
func (c *Client) Policies(ctx context.Context, limit int, cursor string) (Policies, error) {
	var p Policies
	err := c.page(ctx, "v1/policies", limit, cursor, &p)
	return p, err
}

// Policy returns a policy. The error wraps fs.ErrNotExist if the ledger has none
// of this name.
func (c *Client) Policy(ctx context.Context, name string) (Policy, error) {
	var p Policy
	err := c.getObject(ctx, "v1/policies/"+url.PathEscape(name), &p)
	return p, err
}

// Keys returns a page of the keys, by thumbprint; see Policies.
func (c *Client) Keys(ctx context.Context, limit int, cursor string) (Keys, error) {
	var k Keys
	err := c.page(ctx, "v1/keys", limit, cursor, &k)
	return k, err
}

// Case returns a page of the records of a case, see Policies, and where the case
// stands. The error wraps fs.ErrNotExist if no record names the case.
func (c *Client) Case(ctx context.Context, name string, limit int, cursor string) (Case, error) {
	var k Case
	err := c.page(ctx, "v1/cases/"+url.PathEscape(name), limit, cursor, &k)
	return k, err
}

// page gets a page of a listing.
func (c *Client) page(ctx context.Context, path string, limit int, cursor string, v any) error {
	query := url.Values{}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	req, err := c.request(ctx, http.MethodGet, path, nil, "application/json")
	if err != nil {
		return err
	}
	return c.listing(req, v)
}

// proven makes a request with a proof of key, whose answer is a JSON object.
func (c *Client) proven(ctx context.Context, key crypto.Signer, method, path string, body []byte, v any) error {
	req, err := c.request(ctx, method, path, bytes.NewReader(body), "application/json")
	if err != nil {
		return err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/jose+json")
	}
	p, err := proof.Sign(key, method, req.URL.String(), body, time.Now())
	if err != nil {
		return err
	}
	req.Header.Set(proof.Header, p)
	return c.listing(req, v)
}

// listing does a request whose answer is a JSON object that may be long.
func (c *Client) listing(req *http.Request, v any) error {
	b, err := c.do(req, maxListing)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s %s: %w: %w", req.Method, req.URL, errAnswer, err)
	}
	return nil
}
