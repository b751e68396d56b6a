package api

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/ledger/figures"
)

const typeCSV = "text/csv; charset=utf-8; header=present"

// stats answers with the numbers of the log.
func (s *server) stats(w *response, r *http.Request) error {
	f, err := s.counted(r)
	if err != nil {
		return err
	}
	b, err := json.Marshal(client.Stats{Origin: f.Checkpoint.Origin, Root: f.Checkpoint.Root.String(), Figures: f.Figures})
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	return replyFigures(w, r, f.Size, typeJSON, append(b, '\n'))
}

func replyFigures(w *response, r *http.Request, size int64, mediaType string, b []byte) error {
	w.Header().Set("Cache-Control", fresh)
	w.Header().Set("Docket-Size", strconv.FormatInt(size, 10))
	return replyConditional(w, r, mediaType, tag(b), b)
}

// statsTable answers with one table of them.
func (s *server) statsTable(w *response, r *http.Request) error {
	f, err := s.counted(r)
	if err != nil {
		return err
	}
	var names []string
	for _, t := range f.Tables() {
		if t.Name != r.URL.Query().Get("table") {
			names = append(names, t.Name)
			continue
		}
		var b bytes.Buffer
		if err := t.WriteCSV(&b); err != nil {
			return err
		}
		w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%d.csv"`, t.Name, f.Size))
		return replyFigures(w, r, f.Size, typeCSV, b.Bytes())
	}
	return fmt.Errorf("%w: table is one of %s", errQuery, strings.Join(names, ", "))
}

// counted returns the numbers, at a size of the log if the request names one.
func (s *server) counted(r *http.Request) (*figures.Figures, error) {
	least := int64(0)
	if text := r.URL.Query().Get("at_least"); r.URL.Query().Has("at_least") {
		var err error
		if least, err = strconv.ParseInt(text, 10, 64); err != nil || least < 0 {
			return nil, fmt.Errorf("%w: at_least %.20q is no size of a log", errQuery, text)
		}
	}
	f, err := s.figures.Figures(r.Context(), least)
	if err == nil && f.Size < least {
		return nil, fmt.Errorf("%w: the checkpoint that is counted has %d records, fewer than %d; with witnesses it is a moment behind", errQuery, f.Size, least)
	}
	return f, err
}
