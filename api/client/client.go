// Package client asks a ledger over HTTP: it submits records and reads records,
// receipts, keys and the files of the log.
//
// What a Client returns is what the server says, nothing is checked. A request
// that the server answers with a problem fails with a *problem.Problem; any other
// error means that there was no answer.
//
// A Follower checks: with a trust policy, and a Memory of what the ledger showed
// before. Programs that act on what a ledger says use that one.
//
// # Errors, and trying again
//
// To submit the same bytes again is always safe, at any time and from anywhere: a
// ledger holds them once and answers with the receipt of the first time. So what
// has to be kept until there is a receipt is the record, and nothing else. What
// must not be repeated is signing: a second signature has the next number of its
// key.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/go-json-experiment/json"
)

const (
	// timeout bounds a request with its answer.
	timeout = 2 * time.Minute
	// maxAnswer bounds an answer but for the files of the log, in bytes. A
	// full receipt is at most 64 KiB of extra and as much again of the rest.
	maxAnswer = 1 << 20
	// tries is how often a record is sent at most, maxWait the longest wait
	// in between that a ledger may ask for.
	tries   = 4
	maxWait = 10 * time.Second
)

// Errors that will be the same the next time.
var (
	errRedirect = errors.New("refused to be redirected")
	errAnswer   = errors.New("not what a ledger answers")
)

// A Client talks to one ledger, or to whatever serves the files of its log. It
// is a verify.Source. Its methods may be used concurrently.
//
// Behind a URL there may be several servers that share a log. What a Client submitted
// it also reads: it says what it has seen of the log, and a server that is behind waits.
type Client struct {
	base string // without the slash at the end
	http *http.Client
	seen atomic.Int64 // the size of the log after the last record that was submitted
}

var _ verify.Source = (*Client)(nil)

// New returns a client for the ledger at a URL, http or https; it sends nothing.
func New(base string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("%q is no URL", base)
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%q is not the URL of a ledger, which looks like https://ledger.example.com/2026", u.Redacted())
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	transport.ResponseHeaderTimeout = time.Minute
	return &Client{
		base: strings.TrimRight(u.String(), "/"),
		http: &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: stay},
	}, nil
}

// stay follows redirects on the same host only, and never from https to http.
func stay(req *http.Request, via []*http.Request) error {
	from := via[len(via)-1].URL
	switch {
	case req.URL.Host != from.Host:
		return fmt.Errorf("%w from %s to %s", errRedirect, from.Host, req.URL.Host)
	case req.URL.Scheme != from.Scheme && req.URL.Scheme != "https":
		return fmt.Errorf("%w from https to http", errRedirect)
	case req.Method != via[0].Method:
		return fmt.Errorf("%w where the record would not arrive", errRedirect)
	case len(via) > 3:
		return fmt.Errorf("redirected too often: %w", errRedirect)
	}
	return nil
}

// Submit submits a record. The error is a *problem.Problem with the codes if the
// ledger refuses it, and with RetryAfter if it could not take it now.
//
// If the connection breaks, or the ledger asks to come again soon, the same
// bytes are sent again, a few times: that is always safe, since a ledger holds
// the same bytes once.
func (c *Client) Submit(ctx context.Context, b []byte) (Submitted, error) {
	return again(ctx, func() (Submitted, error) { return c.submit(ctx, b) })
}

// again does what may be done any number of times, a few times.
func again[T any](ctx context.Context, do func() (T, error)) (T, error) {
	for try := 1; ; try++ {
		v, err := do()
		wait := pause(try, err)
		if wait == 0 || ctx.Err() != nil {
			return v, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return v, fmt.Errorf("%w (%w)", err, ctx.Err())
		}
	}
}

// pause returns how long to wait before trying again; 0 if the try went well,
// was the last, or will go the same way again.
func pause(try int, err error) time.Duration {
	var p *problem.Problem
	backoff := 100 * time.Millisecond << (2 * (try - 1)) // 100, 400, 1600 ms, and up to half as much again
	backoff += rand.N(backoff / 2)
	switch {
	case err == nil || try == tries:
		return 0
	case errors.As(err, &p):
		if p.Code == problem.WitnessPending {
			return 0 // it has waited already
		}
		if p.RetryAfter == 0 || p.RetryAfter > maxWait {
			return 0
		}
		return p.RetryAfter + backoff
	case Lasting(err):
		return 0
	}
	return backoff
}

// Lasting reports whether a request that was not answered with a problem will
// fail the same way the next time: nobody has that name or its certificate, it
// redirects elsewhere, or what it answers is too long or no answer.
func Lasting(err error) bool {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	return errors.Is(err, errRedirect) || errors.Is(err, errAnswer) || errors.As(err, &cert) || errors.As(err, &dns) && dns.IsNotFound
}

func (c *Client) submit(ctx context.Context, b []byte) (Submitted, error) {
	var s Submitted
	req, err := c.request(ctx, http.MethodPost, "v1/records", bytes.NewReader(b), "application/json")
	if err != nil {
		return s, err
	}
	req.Header.Set("Content-Type", "application/jose+json")
	if err = c.object(req, &s); err == nil {
		c.Seen(s.Index + 1)
	}
	return s, err
}

// Seen says that the caller has seen a log of a size, elsewhere or before: what is asked
// for from now on reflects that much of it. A Client knows what it submitted itself.
func (c *Client) Seen(size int64) {
	for seen := c.seen.Load(); size > seen && !c.seen.CompareAndSwap(seen, size); {
		seen = c.seen.Load()
	}
}

// Record returns the record with an id. The error wraps fs.ErrNotExist if the
// ledger has no such record.
func (c *Client) Record(ctx context.Context, id record.ID) (Record, error) {
	var r Record
	return r, c.getObject(ctx, "v1/records/"+url.PathEscape(string(id)), &r)
}

// Receipt returns the full receipt of a record. The error wraps fs.ErrNotExist
// if the ledger has no such record. It is asked again as by Submit.
func (c *Client) Receipt(ctx context.Context, id record.ID) ([]byte, error) {
	return again(ctx, func() ([]byte, error) {
		req, err := c.request(ctx, http.MethodGet, "v1/records/"+url.PathEscape(string(id))+"/receipt", nil, "text/plain")
		if err != nil {
			return nil, err
		}
		return c.do(req, maxAnswer)
	})
}

// maxDeadline is how long a ledger lets one request wait for witnesses.
const maxDeadline = 60 * time.Second

// WitnessedReceipt returns the full receipt of a record in a checkpoint that
// enough of the ledger's witnesses have cosigned. It waits for them, for a time at
// most; then the error is a *problem.Problem with the code
// problem.WitnessPending. It is problem.NoWitnesses if the ledger asks none, and
// wraps fs.ErrNotExist if the ledger has no such record.
func (c *Client) WitnessedReceipt(ctx context.Context, id record.ID, wait time.Duration) ([]byte, error) {
	end := time.Now().Add(wait)
	for {
		deadline := min(max(time.Until(end), time.Second), maxDeadline)
		b, err := again(ctx, func() ([]byte, error) {
			path := fmt.Sprintf("v1/records/%s/receipt?wait=witnessed&deadline=%d", url.PathEscape(string(id)), int(deadline.Seconds()))
			req, err := c.request(ctx, http.MethodGet, path, nil, "text/plain")
			if err != nil {
				return nil, err
			}
			return c.do(req, maxAnswer)
		})
		var p *problem.Problem
		if !errors.As(err, &p) || p.Code != problem.WitnessPending || time.Until(end) <= 0 || ctx.Err() != nil {
			return b, err
		}
	}
}

// CheckpointOf returns the first witnessed checkpoint that the ledger has kept and
// that covers the record at index, as cosigned. The error wraps fs.ErrNotExist if
// there is none yet.
func (c *Client) CheckpointOf(ctx context.Context, index int64) ([]byte, error) {
	return again(ctx, func() ([]byte, error) {
		req, err := c.request(ctx, http.MethodGet, fmt.Sprintf("v1/checkpoints?covers=%d", index), nil, "text/plain")
		if err != nil {
			return nil, err
		}
		return c.do(req, verify.MaxNote)
	})
}

// Key returns a key by its thumbprint. The error wraps fs.ErrNotExist if the
// ledger never enrolled it.
func (c *Client) Key(ctx context.Context, kid string) (Key, error) {
	var k Key
	return k, c.getObject(ctx, "v1/keys/"+url.PathEscape(kid), &k)
}

// Info returns what the ledger says of itself.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var i Info
	return i, c.getObject(ctx, "v1/log", &i)
}

// ReadFile implements verify.Source. A checkpoint comes from the ledger itself,
// not from a cache on the way.
func (c *Client) ReadFile(ctx context.Context, path string) ([]byte, error) {
	req, err := c.request(ctx, http.MethodGet, path, nil, "")
	if err != nil {
		return nil, err
	}
	if path == "checkpoint" {
		req.Header.Set("Cache-Control", "no-cache") // an old one would look like a log that was set back
	}
	return c.do(req, verify.MaxFile(path))
}

func (c *Client) request(ctx context.Context, method, path string, body io.Reader, accept string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "docket")
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	if seen := c.seen.Load(); seen > 0 && method == http.MethodGet {
		req.Header.Set("Docket-At-Least", strconv.FormatInt(seen, 10))
	}
	return req, nil
}

func (c *Client) getObject(ctx context.Context, path string, v any) error {
	req, err := c.request(ctx, http.MethodGet, path, nil, "application/json")
	if err != nil {
		return err
	}
	return c.object(req, v)
}

// object does a request whose answer is a JSON object.
func (c *Client) object(req *http.Request, v any) error {
	b, err := c.do(req, maxAnswer)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s %s: %w: %w", req.Method, req.URL, errAnswer, err)
	}
	return nil
}

// do returns the body of an answer of at most limit bytes, or the problem.
func (c *Client) do(req *http.Request, limit int64) ([]byte, error) {
	res, err := answered(c.http, req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := read(res, limit)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL, err)
	}
	return b, nil
}

// answered returns the answer to a request, whose body is to be closed, or the problem.
func answered(h *http.Client, req *http.Request) (*http.Response, error) {
	res, err := h.Do(req)
	if err != nil {
		return nil, err // names method and URL
	}
	if res.StatusCode == http.StatusOK || res.StatusCode == http.StatusCreated {
		return res, nil
	}
	defer res.Body.Close()
	b, err := read(res, maxAnswer)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL, err)
	}
	p := problem.Parse(res.StatusCode, res.Header.Get("Content-Type"), b)
	p.RetryAfter = retryAfter(res.Header.Get("Retry-After"), time.Now())
	if p.Code == "" {
		p.Detail = req.Method + " " + req.URL.String()
	}
	return nil, p
}

// retryAfter returns how long the header field of that name asks to wait, in
// seconds or until a date (RFC 9110, Section 10.2.3); 0 if it does not ask.
func retryAfter(field string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseInt(field, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(field); err == nil {
		wait = date.Sub(now).Round(time.Second)
	}
	return min(max(wait, 0), 24*time.Hour)
}

// read reads a body of at most limit bytes.
func read(res *http.Response, limit int64) ([]byte, error) {
	var b bytes.Buffer
	if n := res.ContentLength; n > limit {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", errAnswer, n, limit)
	} else if n > 0 {
		b.Grow(int(n) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(res.Body, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("%w: more than %d bytes", errAnswer, limit)
	}
	return b.Bytes(), err
}
