// Package witnessing runs a witness (package verify/witness judges) over HTTP: its
// handler, what it keeps on the disk, and the file of its key. docket-mirror does,
// and docket demo, which has three of its own.
package witnessing

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/docket-ledger/docket/verify/witness"
)

// places is how many requests to cosign are answered at once.
const places = 64

// Handler serves a witness: POST /add-checkpoint, and the newest cosigned
// checkpoint of a log at /<hex SHA-256 of its origin>/checkpoint. gate may refuse a
// request before the witness judges it, with a status and words; it may be nil.
func Handler(w *witness.Witness, store *Store, log *slog.Logger, gate func(ctx context.Context, body []byte) (status int, words string)) http.Handler {
	s := &server{w, store, log, make(chan struct{}, places), gate}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", s.add)
	mux.HandleFunc("GET /{id}/checkpoint", s.newest)
	return mux
}

type server struct {
	witness *witness.Witness
	store   *Store
	log     *slog.Logger
	places  chan struct{}
	gate    func(ctx context.Context, body []byte) (status int, words string)
}

func (s *server) add(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, witness.MaxRequest))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(w, "the request breaks off", http.StatusBadRequest)
		return
	}
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests at once", http.StatusTooManyRequests)
		return
	}
	if s.gate != nil {
		if status, words := s.gate(r.Context(), body); status != 0 {
			if status == http.StatusServiceUnavailable {
				w.Header().Set("Retry-After", "2")
			}
			http.Error(w, words, status)
			return
		}
	}
	a, err := s.witness.Add(body, time.Now().Unix())
	if err != nil {
		s.log.Error("nothing is cosigned", slog.Any("error", err))
		http.Error(w, "the witness has failed", http.StatusInternalServerError)
		return
	}
	if a.Fork != nil {
		path, err := s.store.keepEvidence(a.Fork.Evidence())
		s.log.Error("a log has signed two histories", slog.String("origin", a.Fork.Old.Origin), slog.String("evidence", path), slog.Any("error", err))
	}
	w.Header().Set("Content-Type", a.Type)
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body) // the log asks again if it breaks off
}

func (s *server) newest(w http.ResponseWriter, r *http.Request) {
	note, err := s.witness.Newest(r.PathValue("id"))
	switch {
	case err != nil:
		s.log.Error("a checkpoint can't be shown", slog.Any("error", err))
		http.Error(w, "the witness has failed", http.StatusInternalServerError)
	case note == nil:
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(note)
	}
}
