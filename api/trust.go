package api

import (
	"fmt"
	"net/http"
	"strings"
)

// trust answers with the trust policy that the ledger names itself: its log key, and the
// witnesses of the charter in force, with their quorum where they are asked.
func (s *server) trust(w *response, r *http.Request) error {
	info, err := s.ledger.Info(r.Context())
	if err != nil {
		return err
	}
	terms, err := s.ledger.Terms(r.Context())
	if err != nil {
		return err
	}
	lines := []string{"# What " + info.Origin + " says of itself: compare it with what you got elsewhere.", fmt.Sprintf("log %s %s", info.VKey, s.url(r))}
	for _, line := range terms.Witnesses {
		if !strings.HasPrefix(line, "quorum ") || s.ledger.AsksWitnesses() {
			lines = append(lines, line)
		}
	}
	if !s.ledger.AsksWitnesses() {
		lines = append(lines, "quorum none")
	}
	b := []byte(strings.Join(lines, "\n") + "\n")
	w.Header().Set("Cache-Control", fresh)
	return replyConditional(w, r, typeText, tag(b), b)
}

// url is where the ledger is reached, as far as is known, without a slash at the end.
func (s *server) url(r *http.Request) string {
	switch {
	case s.publicURL != "":
		return strings.TrimSuffix(s.publicURL, "/")
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
