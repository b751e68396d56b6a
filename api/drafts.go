package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/drafts"
	"github.com/docket-ledger/docket/verify/record"
)

// private is how long an answer that is not public may be kept.
const private = "private, no-cache"

// postDraft keeps a record for others to sign, or adds signatures to one that is
// kept.
func (s *server) postDraft(w *response, r *http.Request) error {
	if err := hasProof(r); err != nil {
		return err
	}
	visit, err := s.visit(r)
	if err != nil {
		return err
	}
	defer visit.leave()
	b, err := readRecord(w, r)
	if err != nil {
		return err
	}
	kid, err := s.prove(r, b)
	if err != nil {
		return err
	}
	checked, err := s.ledger.Examine(r.Context(), b)
	if err != nil {
		return err
	}
	if !signedBy(checked, kid) {
		return errNotSigner
	}
	id, err := s.ledger.Stated(r.Context(), checked.PayloadBytes())
	if err == nil {
		return fmt.Errorf("%w as %s", errLogged, id)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d, added, err := s.drafts.Put(checked, kid)
	if code := record.CodeOf(err); code != "" { // too many signatures
		return &ledger.RefusedError{Codes: []record.Code{code}, Detail: err}
	}
	if err != nil {
		return err
	}
	w.about = d.ID
	status := http.StatusOK
	if added {
		status = http.StatusCreated
	}
	w.Header().Set("Location", "/v1/drafts/"+d.ID)
	w.Header().Set("Cache-Control", "no-store")
	return s.replyDraft(w, r, status, d)
}

// listDrafts answers with all drafts that still wait.
func (s *server) listDrafts(w *response, r *http.Request) error {
	if _, err := s.prove(r, nil); err != nil {
		return err
	}
	all, err := s.drafts.List()
	if err != nil {
		return err
	}
	terms, err := s.ledger.Terms(r.Context())
	if err != nil {
		return err
	}
	answer := client.Drafts{Drafts: []client.Draft{}}
	for _, d := range all {
		waits, err := s.waits(r.Context(), d)
		if err != nil {
			return err
		}
		if waits {
			one, err := s.draft(r.Context(), d, terms)
			if err != nil {
				return err
			}
			answer.Drafts = append(answer.Drafts, one)
		}
	}
	w.Header().Set("Cache-Control", private)
	return replyTagged(w, r, answer)
}

// getDraft answers with one draft.
func (s *server) getDraft(w *response, r *http.Request) error {
	if _, err := s.prove(r, nil); err != nil {
		return err
	}
	d, err := s.waiting(r)
	if err != nil {
		return err
	}
	w.about = d.ID
	w.Header().Set("Cache-Control", private)
	return s.replyDraft(w, r, http.StatusOK, d)
}

// deleteDraft removes a draft for one of those whom it concerns, and answers with
// it.
func (s *server) deleteDraft(w *response, r *http.Request) error {
	kid, err := s.prove(r, nil)
	if err != nil {
		return err
	}
	d, err := s.waiting(r)
	if err != nil {
		return err
	}
	if !d.Concerns(kid) {
		return errNotYours
	}
	w.about = d.ID
	if err := s.drafts.Remove(d.ID); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return s.replyDraft(w, r, http.StatusOK, d)
}

// waiting returns the draft that a request names.
func (s *server) waiting(r *http.Request) (*drafts.Draft, error) {
	d, err := s.drafts.Get(variable(r, "id"))
	if err != nil {
		return nil, err
	}
	waits, err := s.waits(r.Context(), d)
	if err == nil && !waits {
		err = fmt.Errorf("%s is logged: %w", d.ID, fs.ErrNotExist)
	}
	return d, err
}

// waits reports whether a draft is not logged yet. One that is, is removed.
func (s *server) waits(ctx context.Context, d *drafts.Draft) (bool, error) {
	switch _, err := s.ledger.Stated(ctx, d.Record.PayloadBytes()); {
	case err == nil:
		return false, s.drafts.Remove(d.ID)
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	default:
		return false, err
	}
}

// signedBy reports whether a key has signed a record.
func signedBy(r record.Checked, kid string) bool {
	for _, h := range r.Headers() {
		if h.KID == kid {
			return true
		}
	}
	return false
}

func (s *server) replyDraft(w *response, r *http.Request, status int, d *drafts.Draft) error {
	terms, err := s.ledger.Terms(r.Context())
	if err != nil {
		return err
	}
	answer, err := s.draft(r.Context(), d, terms)
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost || r.Method == http.MethodDelete {
		return replyJSON(w, status, answer)
	}
	return replyTagged(w, r, answer)
}

// draft is the JSON form of a draft.
func (s *server) draft(ctx context.Context, d *drafts.Draft, terms record.Terms) (client.Draft, error) {
	payload := d.Record.Payload()
	answer := client.Draft{
		ID: d.ID, Type: payload.Head().Type, Record: d.Record.Bytes(), Posted: record.Time(d.Posted.Unix()),
		Expires: record.Time(d.Expires(time.Duration(terms.DraftLife) * time.Hour).Unix()),
	}
	if act, ok := payload.(record.Act); ok {
		answer.Case, _ = act.Place()
	}
	for _, h := range d.Record.Headers() {
		signer := client.DraftSigner{KID: h.KID, IAT: h.IAT}
		k, err := s.ledger.Key(ctx, h.KID)
		switch enrol, ok := payload.(*record.KeyEnrol); {
		case err == nil:
			signer.Holder = k.Holder
		case !errors.Is(err, fs.ErrNotExist):
			return answer, err
		case ok && enrol.JWK.KID() == h.KID: // not enrolled yet
			signer.Holder = enrol.Holder
		}
		answer.Signers = append(answer.Signers, signer)
	}
	return answer, nil
}
