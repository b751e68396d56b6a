package cosign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/witness"
)

// maxAnswer is the longest answer that is read, in bytes: signature lines of a few
// keys, also of ML-DSA-44. A kept checkpoint has as many and the log's.
const maxAnswer = 16 << 10

// A peer is a witness that is asked. What is not in state is Run's.
type peer struct {
	verify.Witness
	base string // its URL without a final slash, "" if it is never asked
	http *http.Client

	known  int64             // the size to prove from: what it is thought to have cosigned
	before verify.Checkpoint // what was last sent, for whose size the root is known
	busy   bool              // a request is on its way
	retry  time.Time         // it is left alone until then
	pause  time.Duration     // for which it was left alone

	state ledger.Witness // guarded by Cosigner.mu
}

// An answer is what came of asking a witness for a cosignature.
type answer struct {
	w     *peer
	r     *round
	round int // number

	line  string // the verified signature line with its LF, "" without one
	at    int64  // when it says it signed, in seconds since 1970
	known int64  // the size to prove from next time

	err    error         // why there is none
	wait   time.Duration // it asked to be left alone for so long
	faulty bool          // no honest witness answers that
	halt   error         // the log has been halted
}

// client returns a client that follows no redirect. Its own one holds one
// connection.
func client(given *http.Client) *http.Client {
	c := &http.Client{}
	if given != nil {
		*c = *given
	} else {
		c.Transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxConnsPerHost:        1,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        2 * time.Minute,
			DisableCompression:     true, // what is not compressed does not unfold
			MaxResponseHeaderBytes: maxAnswer,
		}
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// ask asks a witness to cosign the head of a round. If it is told another size to
// prove from, it asks once more.
func (c *Cosigner) ask(ctx context.Context, w *peer, a answer, before verify.Checkpoint) answer {
	head := a.r.head
	for again := range 2 {
		proof, err := c.prove(ctx, a.known, head.Checkpoint.Size)
		if err != nil {
			a.err = err
			return a
		}
		body := witness.Request{Old: a.known, Proof: proof, Checkpoint: a.r.note}.Marshal()
		if len(body) > witness.MaxRequest {
			a.err = fmt.Errorf("the request has %d bytes, and witnesses read %d", len(body), witness.MaxRequest)
			return a
		}
		res, err := w.do(ctx, http.MethodPost, w.base+"/add-checkpoint", body)
		if err != nil {
			a.err = err
			return a
		}
		switch res.status {
		case witness.OK:
			c.accept(&a, res.body)
			return a
		case witness.Unprocessable:
			c.incident(ctx, &a, before, proof, errors.New("it says that our proof does not hold"))
			return a
		case witness.Conflict:
			told, err := witness.ParseSize(strings.TrimSuffix(string(res.body), "\n"))
			switch {
			case err != nil && a.known == head.Checkpoint.Size: // the specification of before: another root of that size
				c.incident(ctx, &a, before, proof, errors.New("it says that it has cosigned another tree of the same size"))
				return a
			case err != nil:
				a.err = fmt.Errorf("it answers 409 without a size: %w", err)
				return a
			case told > c.cfg.Log.Head().Checkpoint.Size, told == a.known:
				c.incident(ctx, &a, before, proof, fmt.Errorf("asked from size %d to %d it says that it has cosigned size %d", a.known, head.Checkpoint.Size, told))
				return a
			case told > head.Checkpoint.Size: // somebody has shown it a newer head of ours
				a.known = told
				return a
			case again > 0:
				a.err = fmt.Errorf("it answers 409 again, with the sizes %d and then %d", a.known, told)
				return a
			}
			a.known = told
		default:
			a.err, a.wait = res.refusal(), res.wait(c.cfg.Now())
			return a
		}
	}
	return a
}

// prove proves that the head extends what a witness has. From nothing, and from
// the same size, there is nothing to prove.
func (c *Cosigner) prove(ctx context.Context, old, size int64) ([]tlog.Hash, error) {
	if old == 0 || old == size {
		return nil, nil
	}
	return c.cfg.Log.Consistency(ctx, old, size)
}

// accept takes from an answer the signature line of the witness, if it holds for
// the head. Lines of other keys are ignored.
func (c *Cosigner) accept(a *answer, lines []byte) {
	head := a.r.head.Checkpoint
	text := head.Text() + "\n"
	note, err := verify.KeepLines(slices.Concat(a.r.note, lines), append(slices.Clone(c.logKeys), a.w.Key)...)
	if err != nil {
		a.err = fmt.Errorf("it answers 200 and no signature lines: %w", err)
		return
	}
	signed, err := c.cfg.Policy.Open(note)
	if err != nil && !errors.Is(err, verify.ErrQuorum) {
		a.err, a.faulty = fmt.Errorf("its answer: %w", err), errors.Is(err, verify.ErrSignature)
		return
	}
	own, err := verify.KeepLines(note, a.w.Key)
	i := slices.IndexFunc(signed.Cosignatures, func(s verify.Cosignature) bool { return s.Name == a.w.Name })
	if err != nil || i < 0 || signed.Checkpoint != head {
		a.err = fmt.Errorf("it answers 200 without a cosignature by %s: the key in the witness policy may be out of date", keyName(a.w.Key))
		return
	}
	a.line, a.at, a.known = strings.TrimPrefix(string(own), text), signed.Cosignatures[i].Time, head.Size
}

// A response is what a witness answered over HTTP.
type response struct {
	status int
	header http.Header
	body   []byte // at most maxAnswer bytes
}

// do sends a request. What is longer than maxAnswer is an error.
func (w *peer) do(ctx context.Context, method, url string, body []byte) (response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(string(body)))
	if err != nil {
		return response{}, err
	}
	req.Header.Set("User-Agent", "docketd")
	res, err := w.http.Do(req)
	if err != nil {
		return response{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return response{}, err
	}
	if len(b) > maxAnswer {
		return response{}, fmt.Errorf("an answer of more than %d bytes", maxAnswer)
	}
	return response{res.StatusCode, res.Header, b}, nil
}

// refusal says what a status other than 200, 409 and 422 means.
func (r response) refusal() error {
	words := map[int]string{
		http.StatusNotFound:        "it does not know this log: its operator has to add the log's key",
		http.StatusForbidden:       "it does not take this log's signature: its operator has to add the log's key",
		http.StatusBadRequest:      "it does not understand the request",
		http.StatusTooManyRequests: "it is asked too often",
	}[r.status]
	switch {
	case words != "":
	case r.status >= 300 && r.status < 400:
		words = fmt.Sprintf("it sends us to %.200q, where nobody goes: put that URL into the witness policy if it is right", r.header.Get("Location"))
	default:
		words = "it fails"
	}
	return fmt.Errorf("%s (status %d)", words, r.status)
}

// wait returns for how long a witness asks to be left alone.
func (r response) wait(now time.Time) time.Duration {
	after := r.header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(after, 10, 32); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(after); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
