package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"

	"github.com/docket-ledger/docket/api/problem"
)

// A ledger that follows a log may be a moment behind what its readers have seen at
// another one.

// AtLeast is the header of a request for something that has to reflect so many records
// of the log: the index of what was recorded last, plus 1. It is waited for, up to
// maxBehind.
const AtLeast = "Docket-At-Least"

// errLagging says that this server has not come to what a request wants to see.
var errLagging = errors.New("this server does not have that much of the log yet; ask again in a moment")

// reached waits until the log has the size that a request names.
func (s *server) reached(r *http.Request) error {
	text := r.Header.Get(AtLeast)
	if text == "" {
		return nil
	}
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil || size < 0 {
		return fmt.Errorf("%w: the header %s: %.20q is no size of a log", errQuery, AtLeast, text)
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxBehind)
	defer cancel()
	for {
		i, err := s.ledger.Info(ctx)
		if err != nil {
			return err
		}
		if i.Size >= size {
			return nil
		}
		select {
		case <-s.ledger.Grown(i.Size):
		case <-ctx.Done():
			if err := r.Context().Err(); err != nil {
				return err
			}
			return errLagging
		}
	}
}

// missing returns how many records this server is behind, if a problem may be that what
// was asked for is among them; else 0.
func (s *server) missing(p *problem.Problem, err error) int64 {
	if p.Status != http.StatusNotFound || !errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	return s.ledger.Behind()
}
