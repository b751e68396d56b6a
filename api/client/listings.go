package client

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"net/http"
	"net/url"
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
	return d, c.proven(ctx, key, http.MethodPost, "v1/drafts", record, &d)
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
	return d, c.proven(ctx, key, http.MethodGet, "v1/drafts/"+url.PathEscape(id), nil, &d)
}

// DeleteDraft deletes a draft and returns what it was. key is one that has signed
// or posted it.
func (c *Client) DeleteDraft(ctx context.Context, key crypto.Signer, id string) (Draft, error) {
	var d Draft
	return d, c.proven(ctx, key, http.MethodDelete, "v1/drafts/"+url.PathEscape(id), nil, &d)
}

// SubmitVoid submits a record as Submit does, to be logged as void if the rules
// refuse it. key is one that has signed it.
func (c *Client) SubmitVoid(ctx context.Context, key crypto.Signer, record []byte) (Submitted, error) {
	var s Submitted
	return s, c.proven(ctx, key, http.MethodPost, "v1/records?void=log", record, &s)
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
