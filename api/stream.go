package api

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
)

// How streams are: how many of each kind of address there are at once, how many records
// are read for one at a time, how often one that has nothing to say shows that it lives,
// and how long a reader may take for what it was sent.
const (
	maxStreams  = 128
	streamBatch = 64
	heartbeat   = 15 * time.Second
	streamWrite = 30 * time.Second
)

var errStreams = errors.New("too many streams are open; ask again later, or read /v1/records in pages")

// stream sends each record as the log has it, as server-sent events: the id of an event
// is the index of the record, so that a reader that comes back goes on after the last.
func (s *server) stream(w *response, r *http.Request) error {
	next, err := s.streamFrom(r)
	if err != nil {
		return err
	}
	leave, ok := s.limits.streams.take(s.limits.isKnown(r))
	if !ok {
		return errStreams
	}
	defer leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy that waits for the end would wait for ever
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	out := http.NewResponseController(w)
	if err := send(w, out, []byte("retry: 2000\n\n")); err != nil {
		return err
	}
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		entries, err := s.ledger.Entries(r.Context(), next, streamBatch)
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			b, err := events(entries)
			if err == nil {
				err = send(w, out, b)
			}
			if err != nil {
				return err
			}
			next += int64(len(entries))
			continue
		}
		select {
		case <-s.ledger.Grown(next):
		case <-tick.C:
			if err := send(w, out, []byte(": nothing new\n\n")); err != nil {
				return err
			}
		case <-r.Context().Done():
			return nil
		case <-s.stopping.Done():
			return nil
		}
	}
}

// streamFrom returns the index of the first record of a stream: the one after
// Last-Event-ID, that of from, or the next one to be logged.
func (s *server) streamFrom(r *http.Request) (int64, error) {
	info, err := s.ledger.Info(r.Context())
	if err != nil {
		return 0, err
	}
	from, part, skip := r.URL.Query().Get("from"), "from", int64(0)
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		from, part, skip = last, "Last-Event-ID", 1
	}
	if from == "" {
		return info.Size, nil
	}
	n, err := strconv.ParseInt(from, 10, 64)
	if err != nil || n < 0 || n+skip > info.Size {
		return 0, &index.QueryError{Part: part, Detail: fmt.Sprintf("%.30q is no index of a record, nor the next one, %d", from, info.Size)}
	}
	return n + skip, nil
}

// events spells records as events.
func events(entries []ledger.Entry) ([]byte, error) {
	var b bytes.Buffer
	for _, e := range entries {
		h := index.Hit{Entry: e}
		if u, err := record.Parse(e.Record); err == nil {
			h.Payload, h.Headers, h.Time = u.Payload(), u.Headers(), index.TimeOf(u)
		}
		data, err := json.Marshal(foundObject(h))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "id: %d\nevent: record\ndata: %s\n\n", e.Index, data)
	}
	return b.Bytes(), nil
}

// send writes a part of an answer that does not end. Who does not read it in time is cut
// off.
func send(w http.ResponseWriter, out *http.ResponseController, b []byte) error {
	if err := out.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("write the stream: %w", err)
	}
	return out.Flush()
}
