package api

import (
	"fmt"
	"net/http"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/verify/record"
)

// due answers with what is owed.
func (s *server) due(w *response, r *http.Request) error {
	at := record.Time(0)
	if text := r.URL.Query().Get("at"); text != "" {
		var err error
		if at, err = record.ParseTime(text); err != nil {
			return fmt.Errorf("%w: at: %w", errQuery, err)
		}
	}
	due, err := s.ledger.Due(r.Context(), at.Unix())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", brief)
	return replyTagged(w, r, client.Due{Size: due.Size, Time: due.Time, Duties: due.Duties})
}
