package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/api/proof"
	"github.com/docket-ledger/docket/api/web"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/drafts"
	"github.com/docket-ledger/docket/ledger/figures"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// What handlers find wrong with a request themselves.
var (
	errNoPath      = errors.New("there is nothing at this path; / lists what there is")
	errNotHere     = errors.New("the ledger has nothing of this name")
	errMethod      = errors.New("the path does not take this method; the header Allow lists those it takes")
	errMediaType   = errors.New("a record is sent as Content-Type: application/jose+json, without Content-Encoding")
	errBody        = errors.New("the body ended early, came too slowly or was not encoded as it said; nothing was recorded")
	errDisclosures = errors.New("this ledger does not keep disclosures: send the record alone, with nothing sealed")
	errQuery       = errors.New("the query of the request is not one that this path understands")
	errNotSigner   = errors.New("the key of the proof has not signed this record")
	errNotYours    = errors.New("a draft is deleted by one who signed or posted it")
	errLogged      = errors.New("this is in the log already")
	errBatchType   = errors.New("a batch is sent as Content-Type: application/x-ndjson, one record a line, without Content-Encoding")
	errBatches     = errors.New("too many batches are on their way")
	errBatchLong   = fmt.Errorf("a batch has at most %d lines and %s of time; send the rest in another", maxLines, batchTime)
	errBatchBody   = errors.New("the body ended early, came too slowly or was not encoded as it said; the lines before this one are answered")
	errTooLarge    = fmt.Errorf("a record has at most %d bytes", record.MaxSize)
)

// problemFor is the only place where an error turns into an HTTP status.
func problemFor(err error) *problem.Problem {
	var refused *ledger.RefusedError
	var tooLarge *http.MaxBytesError
	var path *fs.PathError
	var limit *limitError
	var said *problem.Problem // by a page
	var query *index.QueryError
	var counting *figures.CountingError
	switch {
	case errors.As(err, &said):
		return said
	case errors.As(err, &refused):
		return refusal(refused)
	case errors.As(err, &limit):
		return later(problem.RateLimit, err, limit.after)
	case errors.Is(err, errBatches):
		return unavailable(problem.Busy, errBatches, 10*time.Second)
	case errors.Is(err, errBatchType):
		return problem.New(http.StatusUnsupportedMediaType, problem.MediaType, err.Error())
	case errors.Is(err, errBatchLong):
		return problem.New(http.StatusRequestEntityTooLarge, problem.TooLarge, err.Error())
	case errors.Is(err, errBatchBody):
		return problem.New(http.StatusBadRequest, problem.Incomplete, errBatchBody.Error())
	case errors.Is(err, proof.ErrMissing):
		return problem.New(http.StatusUnauthorized, problem.ProofMissing, err.Error())
	case errors.Is(err, proof.ErrInvalid):
		return problem.New(http.StatusUnauthorized, problem.ProofInvalid, err.Error())
	case errors.Is(err, proof.ErrReplayed):
		return problem.New(http.StatusUnauthorized, problem.ProofReplayed, err.Error())
	case errors.Is(err, ledger.ErrKeyNotInForce):
		return problem.New(http.StatusUnauthorized, problem.ProofKey, "the key of the proof is "+err.Error())
	case errors.Is(err, errNotSigner), errors.Is(err, errNotYours), errors.Is(err, ledger.ErrVoidSigner):
		return problem.New(http.StatusForbidden, problem.Forbidden, err.Error())
	case errors.Is(err, errLogged):
		return problem.New(http.StatusConflict, problem.DraftLogged, err.Error())
	case errors.As(err, &query):
		return problem.New(http.StatusBadRequest, problem.BadQuery, query.Error())
	case errors.As(err, &counting):
		return unavailable(problem.Busy, counting, time.Second)
	case errors.Is(err, errLagging):
		return unavailable(problem.Behind, errLagging, time.Second)
	case errors.Is(err, ledger.ErrUnreachable):
		return unavailable(problem.Unreachable, ledger.ErrUnreachable, 5*time.Second)
	case errors.Is(err, errBehind):
		return unavailable(problem.Busy, errBehind, time.Second)
	case errors.Is(err, index.ErrAnew):
		return unavailable(problem.Busy, index.ErrAnew, 10*time.Second)
	case errors.Is(err, errStreams):
		return unavailable(problem.Busy, errStreams, 10*time.Second)
	case errors.Is(err, errCaseLarge):
		return problem.New(http.StatusUnprocessableEntity, problem.TooLarge, errCaseLarge.Error())
	case errors.Is(err, errQuery):
		return problem.New(http.StatusBadRequest, problem.BadQuery, err.Error())
	case errors.Is(err, drafts.ErrFull):
		return problem.New(http.StatusTooManyRequests, problem.DraftLimit, err.Error())
	case errors.Is(err, ledger.ErrVoidLimit):
		return later(problem.VoidLimit, err, time.Hour)
	case errors.Is(err, proof.ErrFull):
		return later(problem.RateLimit, err, time.Minute)
	case errors.Is(err, errNoPath):
		return problem.New(http.StatusNotFound, problem.NotFound, err.Error())
	case errors.Is(err, fs.ErrNotExist) && !errors.As(err, &path): // a file of ours that is missing is no 404
		return problem.New(http.StatusNotFound, problem.NotFound, errNotHere.Error())
	case errors.Is(err, errMethod):
		return problem.New(http.StatusMethodNotAllowed, problem.MethodNotAllowed, err.Error())
	case errors.Is(err, errMediaType):
		return problem.New(http.StatusUnsupportedMediaType, problem.MediaType, err.Error())
	case errors.Is(err, errDisclosures):
		return problem.New(http.StatusNotImplemented, problem.DisclosuresUnsupported, err.Error())
	case errors.Is(err, errTooLarge), errors.As(err, &tooLarge):
		return problem.New(http.StatusRequestEntityTooLarge, problem.TooLarge, errTooLarge.Error())
	case errors.Is(err, errBody):
		return problem.New(http.StatusBadRequest, problem.Incomplete, errBody.Error())
	case errors.Is(err, ledger.ErrNoWitnesses):
		return problem.New(http.StatusConflict, problem.NoWitnesses, err.Error())
	case errors.Is(err, ledger.ErrPending):
		return unavailable(problem.WitnessPending, ledger.ErrPending, 10*time.Second)
	case errors.Is(err, errWaiting):
		return unavailable(problem.Busy, errWaiting, 10*time.Second)
	case errors.Is(err, context.Canceled): // the client closed its side, but may still read
		return problem.New(http.StatusBadRequest, problem.Incomplete, "the connection ended before the answer; the same bytes again are answered in any case")
	case errors.Is(err, ledger.ErrBusy):
		return unavailable(problem.Busy, ledger.ErrBusy, time.Second)
	case errors.Is(err, ledger.ErrStopping):
		return unavailable(problem.Stopping, ledger.ErrStopping, 5*time.Second)
	case errors.Is(err, ledger.ErrDiskFull):
		return unavailable(problem.StorageFull, ledger.ErrDiskFull, time.Minute)
	case errors.Is(err, ledger.ErrHalted): // the reason is for the operator
		return unavailable(problem.Halted, ledger.ErrHalted, time.Minute)
	}
	return problem.New(http.StatusInternalServerError, problem.Internal, "the reason is in the log of the server, under the id of this request")
}

// refusal is the answer to a record that is at fault: 400 if it is none that
// this ledger understands, 422 if the rules refuse it.
func refusal(refused *ledger.RefusedError) *problem.Problem {
	status := http.StatusUnprocessableEntity
	first := refused.Codes[0]
	if first == record.Malformed || first == record.Unsupported {
		status = http.StatusBadRequest
	}
	p := problem.New(status, string(first), refused.Error())
	p.Codes = reasons(refused.Codes)
	return p
}

// reasons adds to each code its sentence.
func reasons(codes []rules.Code) []problem.Reason {
	var all []problem.Reason
	for _, c := range codes {
		all = append(all, problem.Reason{Code: string(c), Text: ledger.Explain(c)})
	}
	return all
}

func unavailable(code string, err error, retry time.Duration) *problem.Problem {
	p := problem.New(http.StatusServiceUnavailable, code, err.Error())
	p.RetryAfter = retry
	return p
}

func later(code string, err error, retry time.Duration) *problem.Problem {
	p := problem.New(http.StatusTooManyRequests, code, err.Error())
	p.RetryAfter = retry
	return p
}

// suggest adds what is spelled almost like the id or the name in a path that leads
// nowhere. That it can't be told is no problem of its own.
func (s *server) suggest(r *http.Request, p *problem.Problem) {
	if p.Status != http.StatusNotFound || s.lookup == nil {
		return
	}
	for _, wanted := range mux.Vars(r) {
		if text, err := url.PathUnescape(wanted); err == nil {
			wanted = text
		}
		found, err := s.lookup.Near(r.Context(), wanted)
		if err != nil {
			return
		}
		p.Near = append(p.Near, web.Near(found)...)
	}
}

func (s *server) writeProblem(w *response, r *http.Request, p *problem.Problem) {
	h := w.Header()
	h.Del("ETag")
	h.Set("Cache-Control", "no-store")
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.RetryAfter+time.Second-1)/time.Second)))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `DPoP algs="EdDSA ES256", error="invalid_dpop_proof"`)
	}
	if p.Status == http.StatusRequestEntityTooLarge || p.Code == problem.Incomplete {
		h.Set("Connection", "close") // the rest of the body is not waited for
	}
	if w.forPeople {
		err := s.pages.Problem(w, r, p)
		if err == nil || w.status != 0 {
			return
		}
		s.log.LogAttrs(r.Context(), slog.LevelWarn, "problem has no page", slog.Any("error", err))
	}
	b, err := p.Marshal()
	if err == nil {
		err = reply(w, p.Status, problem.ContentType, b)
	}
	if err != nil {
		s.log.LogAttrs(r.Context(), slog.LevelDebug, "problem not delivered", slog.Any("error", err))
	}
}
