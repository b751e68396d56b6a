package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/api/problem"
)

// maxLine bounds a line of the answer to a batch, in bytes.
const maxLine = 256 << 10

// SubmitBatch submits records, one after the other on one connection, and yields
// what became of each, in their order, while they are still being sent. They are
// logged in their order.
//
// An error ends it; it is a *problem.Problem if the ledger took none of them. What
// was not yielded may or may not be recorded: to submit the same bytes again is
// safe. A last line with a Status of 400 or more may say why the ledger read no
// further; it is numbered after the last record that it has read.
//
// records is called on another goroutine; no record may hold a line feed, which
// none that a ledger accepts does.
func (c *Client) SubmitBatch(ctx context.Context, records iter.Seq[[]byte]) iter.Seq2[BatchLine, error] {
	return func(yield func(BatchLine, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		body, to := io.Pipe()
		defer body.Close() // ends writeLines
		go func() { to.CloseWithError(writeLines(to, records)) }()
		req, err := c.request(ctx, http.MethodPost, "v1/records:batch", body, "application/x-ndjson")
		if err != nil {
			yield(BatchLine{}, err)
			return
		}
		req.Header.Set("Content-Type", "application/x-ndjson")
		long := &http.Client{Transport: c.http.Transport, CheckRedirect: stay} // ctx says for how long
		res, err := long.Do(req)
		if err != nil {
			yield(BatchLine{}, err)
			return
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			yield(BatchLine{}, problemOf(res))
			return
		}
		readLines(res.Body, yield)
	}
}

func writeLines(to io.Writer, records iter.Seq[[]byte]) error {
	for b := range records {
		if bytes.IndexByte(b, '\n') >= 0 {
			return errors.New("a record of the batch has a line feed in it")
		}
		if _, err := to.Write(append(bytes.Clone(b), '\n')); err != nil {
			return err
		}
	}
	return nil
}

// readLines yields the lines of an answer.
func readLines(from io.Reader, yield func(BatchLine, error) bool) {
	r := bufio.NewReaderSize(from, maxLine)
	for n := int64(1); ; n++ {
		text, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(text) == 0 {
			return
		}
		var line BatchLine
		if err == nil {
			err = json.Unmarshal(text, &line)
		}
		if err == nil && line.Line != n {
			err = fmt.Errorf("%w: line %d where %d comes next", errAnswer, line.Line, n)
		}
		if err != nil {
			yield(BatchLine{}, fmt.Errorf("read the answer to a batch, line %d: %w", n, err))
			return
		}
		if line.Submitted != nil {
			line.Submitted.Standing.Codes = line.Codes
		}
		if !yield(line, nil) {
			return
		}
	}
}

// problemOf reads the problem that an answer is.
func problemOf(res *http.Response) error {
	b, err := read(res, maxAnswer)
	if err != nil {
		return fmt.Errorf("%s %s: %w", res.Request.Method, res.Request.URL, err)
	}
	p := problem.Parse(res.StatusCode, res.Header.Get("Content-Type"), b)
	p.RetryAfter = retryAfter(res.Header.Get("Retry-After"), time.Now())
	if p.Code == "" {
		p.Detail = res.Request.Method + " " + res.Request.URL.String()
	}
	return p
}
