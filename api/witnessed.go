package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
)

// How long a request waits for the witnesses at most, and if it does not say, in
// seconds; how many of each kind of address wait at once.
const (
	maxDeadline     = 60
	defaultDeadline = 10
	maxWaiting      = 512
)

// headerWitnessed says whether the receipt in the answer rests on a checkpoint
// that reached the quorum, if that was waited for.
const headerWitnessed = "Docket-Witnessed"

// errWaiting says that too many wait for the witnesses already.
var errWaiting = errors.New("too many requests wait for the witnesses; ask without wait=witnessed, or later")

// deadline returns how long a request wants to wait for the witnesses, 0 if it
// does not.
func (s *server) deadline(r *http.Request) (time.Duration, error) {
	q := r.URL.Query()
	wait, seconds := q["wait"], q["deadline"]
	if len(wait) == 0 && len(seconds) == 0 {
		return 0, nil
	}
	if len(wait) != 1 || wait[0] != "witnessed" || len(seconds) > 1 {
		return 0, fmt.Errorf("%w: wait is %.40q, want witnessed", errQuery, strings.Join(wait, ","))
	}
	n := defaultDeadline
	if len(seconds) == 1 {
		var err error
		if n, err = strconv.Atoi(seconds[0]); err != nil || n < 1 || n > maxDeadline {
			return 0, fmt.Errorf("%w: deadline is %.40q, want 1 to %d seconds", errQuery, seconds[0], maxDeadline)
		}
	}
	if !s.ledger.AsksWitnesses() {
		return 0, ledger.ErrNoWitnesses
	}
	return time.Duration(n) * time.Second, nil
}

// await waits until a witnessed checkpoint covers the record at index, for a time
// at most, or until the site stops.
func (s *server) await(r *http.Request, index int64, wait time.Duration) error {
	leave, ok := s.limits.waiting.take(s.limits.isKnown(r))
	if !ok {
		return errWaiting
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	err := s.ledger.AwaitWitnessed(ctx, index)
	if err != nil && s.stopping.Err() != nil {
		return ledger.ErrStopping
	}
	return err
}

// witnessedReceipt puts the witnessed receipt of a record that was just logged
// into out, if there is one in time. If not, the plain one stays: the record is
// logged.
func (s *server) witnessedReceipt(w *response, r *http.Request, out *ledger.Outcome, wait time.Duration) bool {
	err := s.await(r, out.Index, wait)
	if err == nil {
		var receipt []byte
		if receipt, err = s.ledger.BareReceipt(r.Context(), out.Index); err == nil {
			out.Receipt = receipt
		}
	}
	word := "yes"
	if err != nil {
		word = "no"
	}
	w.Header().Set(headerWitnessed, word)
	return err == nil
}

// checkpoints answers with the first kept witnessed checkpoint that covers a
// record.
func (s *server) checkpoints(w *response, r *http.Request) error {
	covers := r.URL.Query()["covers"]
	if len(covers) != 1 {
		return fmt.Errorf("%w: want covers=INDEX, once", errQuery)
	}
	index, err := strconv.ParseInt(covers[0], 10, 64)
	if err != nil || index < 0 || strconv.FormatInt(index, 10) != covers[0] {
		return fmt.Errorf("%w: covers is %.40q, want the index of a record", errQuery, covers[0])
	}
	b, err := s.ledger.Checkpoint(r.Context(), index)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", fresh)
	return replyConditional(w, r, typeText, tag(b), b)
}

// infoObject is the JSON form of what the ledger says of itself.
func (s *server) infoObject(i ledger.Info) client.Info {
	answer := client.Info{
		Origin: i.Origin, VKey: i.VKey, Size: i.Size, Root: i.Root, Checkpoint: string(i.Checkpoint),
		Rules: i.Rules, Time: i.Time, MaxRecord: record.MaxSize,
		Witnessed: string(i.Witnessed), WitnessedSize: i.WitnessedSize, Serves: client.ServesSigned, NoTimemarks: i.Unmarked, Behind: i.Behind,
	}
	switch {
	case len(i.Witnessed) > 0:
		answer.Serves = client.ServesWitnessed
	case s.ledger.AsksWitnesses():
		answer.Serves = client.ServesStart
	}
	now := s.now().Unix()
	for _, w := range i.Witnesses {
		one := client.Witness{Name: w.Name, URL: w.URL, Size: w.Size, At: record.Time(w.At), Behind: max(0, i.Size-w.Size),
			Error: w.Error, ErrorAt: record.Time(w.ErrorAt), Faulty: w.Faulty}
		if one.Behind > 0 && w.At > 0 {
			one.BehindSeconds = max(0, now-w.At)
		}
		answer.Witnesses = append(answer.Witnesses, one)
	}
	return answer
}
