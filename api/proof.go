package api

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/docket-ledger/docket/api/proof"
)

// minTolerance is how far the clock of a prover may differ at least; the charter
// may allow more.
const minTolerance = time.Minute

// prove checks that a request was made by the holder of a key in force, and
// returns its thumbprint.
func (s *server) prove(r *http.Request, body []byte) (kid string, err error) {
	terms, err := s.ledger.Terms(r.Context())
	if err != nil {
		return "", fmt.Errorf("read the terms of the charter: %w", err)
	}
	tolerance := max(minTolerance, time.Duration(terms.Tolerance)*time.Second)
	want := proof.Request{Method: r.Method, URL: s.urlOf(r), Body: body}
	if kid, err = s.proofs.Check(r.Header.Values(proof.Header), want, s.now(), tolerance); err != nil {
		return "", err
	}
	s.limits.known.add(s.limits.addressOf(r))
	return kid, s.limits.key(kid)
}

// hasProof refuses a request without proof before its body is read.
func hasProof(r *http.Request) error {
	if len(r.Header.Values(proof.Header)) == 0 {
		return proof.ErrMissing
	}
	return nil
}

// urlOf returns the URL that a request was made to, as far as it is known here.
func (s *server) urlOf(r *http.Request) string {
	if s.publicURL == "" {
		return "//" + r.Host + r.URL.EscapedPath()
	}
	return strings.TrimSuffix(s.publicURL, "/") + r.URL.EscapedPath()
}
