package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

const ndjson = "application/x-ndjson"

// TestBatch: a line for each line, in order, with what it would have been
// answered with alone.
func TestBatch(t *testing.T) {
	s := newSite(t)
	first := s.Decision("case-one")
	one := s.Sign(first, "dora", "erik")
	next := s.Decision("case-one")
	next.Prev, next.Action = record.IDOf(one), record.Terminate
	two := s.Sign(next, "dora", "erik")
	ruleless := s.Decision("case-two")
	ruleless.Grounds = nil
	large := strings.Repeat("x", record.MaxSize+10)
	body := strings.Join([]string{string(one), string(two) + "\r", string(s.Sign(ruleless, "dora")), "{}", "", large,
		string(s.Sign(s.Decision("case-three"), "dora", "nobody")), string(one), string(s.Sign(s.Decision("case-four"), "dora", "erik"))}, "\n")
	for _, end := range []string{"", "\n"} {
		res, text := do(t, "POST", s.url+"/v1/records:batch", strings.NewReader(body+end), "Content-Type", ndjson)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != ndjson {
			t.Fatalf("got %d %v: %s", res.StatusCode, res.Header, text)
		}
		first := 201
		if end != "" {
			first = 200
		}
		want := []struct {
			status int
			code   string
			codes  int
			index  int64
		}{
			{first, "", 0, 6}, {first, "", 0, 7}, {422, "ground.none", 2, 0}, {400, "record.malformed", 1, 0}, {400, "record.malformed", 1, 0},
			{400, "record.malformed", 1, 0}, {422, "key.unknown", 1, 0}, {200, "", 0, 6}, {first, "", 0, 8},
		}
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(lines) != len(want) {
			t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), text)
		}
		for i, w := range want {
			var got client.BatchLine
			decode(t, lines[i], &got)
			if got.Line != int64(i+1) || got.Status != w.status || got.Code != w.code || len(got.Codes) != w.codes || (got.Submitted == nil) != (w.status > 201) {
				t.Errorf("line %d: got %s, want %+v", i+1, lines[i], w)
			}
			if got.Submitted != nil && (got.Index != w.index || got.Known != (w.status == 200) || got.Standing.Standing != client.Effective) {
				t.Errorf("line %d: got %s, want %+v", i+1, lines[i], w)
			}
			if i == 0 {
				checkBare(t, s, []byte(got.Receipt), one)
			}
		}
	}
}

// TestBatchStreams: an outcome comes before the next record is sent.
func TestBatchStreams(t *testing.T) {
	s := newSite(t)
	to, lines := stream(t, s.url)
	for i := range 3 {
		got := nextLine(t, to, lines, string(s.Sign(s.Decision(fmt.Sprintf("case-%d", i)), "dora", "erik")))
		if got.Status != 201 || got.Line != int64(i+1) {
			t.Errorf("line %d: %+v", i+1, got)
		}
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(lines); err != nil || len(rest) != 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

// TestBatchRefused: before anything is read.
func TestBatchRefused(t *testing.T) {
	s := newSite(t)
	for _, fields := range [][]string{{}, {"Content-Type", "application/jose+json"}, {"Content-Type", ndjson, "Content-Encoding", "gzip"}} {
		res, body := do(t, "POST", s.url+"/v1/records:batch", strings.NewReader("{}"), fields...)
		wantProblem(t, strings.Join(fields, " "), res, body, 415, problem.MediaType)
		if res.Header.Get("Accept-Post") != ndjson {
			t.Errorf("Accept-Post: %v", res.Header)
		}
	}
	res, body := do(t, "GET", s.url+"/v1/records:batch", nil)
	wantProblem(t, "GET", res, body, 405, problem.MethodNotAllowed)
	if res.Header.Get("Allow") != "POST" {
		t.Errorf("Allow: %v", res.Header)
	}
	res, body = do(t, "POST", s.url+"/v1/records:batch", strings.NewReader(""), "Content-Type", ndjson)
	if res.StatusCode != 200 || body != "" {
		t.Errorf("nothing: %d %q", res.StatusCode, body)
	}
	url, _ := serve(t, broken{ledger.ErrStopping})
	res, body = do(t, "POST", url+"/v1/records:batch", strings.NewReader("{}\n"), "Content-Type", ndjson)
	wantProblem(t, "stopping", res, body, 503, problem.Stopping)
}

// TestBatchCut: the client goes away in the middle. Whole lines count, half of one
// does not, and the last line says why there is no more.
func TestBatchCut(t *testing.T) {
	s := newSite(t)
	one, two := s.Sign(s.Decision("case-one"), "dora", "erik"), s.Sign(s.Decision("case-two"), "dora", "erik")
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST /v1/records:batch HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 100000\r\n\r\n%s\n%s", ndjson, one, two[:300])
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	text, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var got client.BatchLine
	decode(t, text, &got)
	if got.Status != 201 || got.ID != record.IDOf(one) {
		t.Errorf("line 1: %s", text)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	text, err = lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	decode(t, text, &got)
	if got.Line != 2 || got.Status != 400 || got.Code != problem.Incomplete {
		t.Errorf("line 2: %s", text)
	}
	if size := s.Seen().Size; size != 7 {
		t.Errorf("size %d, want 7", size)
	}
}

// TestBatchClient submits many, with some that are at fault, from the other side.
func TestBatchClient(t *testing.T) {
	s := newSite(t)
	var records [][]byte
	for i := range 400 {
		signers := []string{"dora", "erik"}
		if i%100 == 50 {
			signers = signers[:1]
		}
		records = append(records, s.Sign(s.Decision(fmt.Sprintf("case-%03d", i)), signers...))
	}
	i := 0
	for line, err := range s.client.SubmitBatch(context.Background(), slices.Values(records)) {
		if err != nil {
			t.Fatal(err)
		}
		if short := i%100 == 50; short && (line.Status != 422 || line.Code != "quorum.short") || !short && (line.Status != 201 || line.ID != record.IDOf(records[i])) {
			t.Errorf("line %d: %+v", i+1, line)
		}
		i++
	}
	if size := s.Seen().Size; i != 400 || size != 6+396 {
		t.Errorf("%d outcomes, size %d", i, size)
	}

	// Left early, and with something that can't be sent.
	for range s.client.SubmitBatch(context.Background(), slices.Values(records)) {
		break
	}
	failed := false
	for _, err := range s.client.SubmitBatch(context.Background(), slices.Values([][]byte{[]byte("a\nb")})) {
		failed = err != nil
	}
	if !failed {
		t.Error("a record with a line feed was sent")
	}
	ended := false
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range s.client.SubmitBatch(ctx, slices.Values(records)) {
		ended = errors.Is(err, context.Canceled)
	}
	if !ended {
		t.Error("a context that had ended was not heard")
	}

	// A void record that is known says why it is void.
	b := s.Sign(s.Decision("case-void"), "dora")
	if _, err := s.Ledger.Submit(context.Background(), b, ledger.Options{LogVoid: true}); err != nil {
		t.Fatal(err)
	}
	for line, err := range s.client.SubmitBatch(context.Background(), slices.Values([][]byte{b})) {
		if err != nil || line.Status != 200 || line.Standing.Standing != client.Void || len(line.Codes) != 1 || len(line.Standing.Codes) != 1 {
			t.Errorf("void: %+v, %v", line, err)
		}
	}
	if k, err := s.client.Key(context.Background(), ledgertest.JWK("dora").KID()); err != nil || k.NextSeq != 402 {
		t.Errorf("key: %+v, %v", k, err)
	}
}

// stream begins a batch that is sent line by line, and returns where to and what
// comes back.
func stream(t *testing.T, url string) (to *io.PipeWriter, lines *bufio.Reader) {
	t.Helper()
	body, to := io.Pipe()
	req, err := http.NewRequest("POST", url+"/v1/records:batch", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", ndjson)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { to.Close(); res.Body.Close() })
	if res.StatusCode != 200 {
		t.Fatalf("got %d", res.StatusCode)
	}
	return to, bufio.NewReader(res.Body)
}

// nextLine sends a line, "" for none, and returns what is answered.
func nextLine(t *testing.T, to io.Writer, lines *bufio.Reader, line string) client.BatchLine {
	t.Helper()
	if line != "" {
		if _, err := io.WriteString(to, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	text, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var got client.BatchLine
	decode(t, text, &got)
	return got
}

// TestBatchStops: when the server is shut down, a batch is told so, and ends.
func TestBatchStops(t *testing.T) {
	s := newSite(t)
	site := api.NewSite(s.Ledger, api.Options{})
	server := httptest.NewServer(site.Handler(api.Everything))
	defer server.Close()
	server.Config.RegisterOnShutdown(site.Stop)
	to, lines := stream(t, server.URL)
	if got := nextLine(t, to, lines, string(s.Sign(s.Decision("case-one"), "dora", "erik"))); got.Status != 201 {
		t.Errorf("got %+v", got)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Config.Shutdown(t.Context()) }()
	if got := nextLine(t, to, lines, ""); got.Line != 2 || got.Status != 503 || got.Code != problem.Stopping {
		t.Errorf("got %+v", got)
	}
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// TestBatchPlaces: strangers have a few places for batches, others their own.
func TestBatchPlaces(t *testing.T) {
	s := newSite(t)
	for range 4 {
		to, lines := stream(t, s.url)
		if got := nextLine(t, to, lines, "{}"); got.Status != 400 {
			t.Errorf("got %+v", got)
		}
	}
	res, body := do(t, "POST", s.url+"/v1/records:batch", strings.NewReader("{}"), "Content-Type", ndjson)
	wantProblem(t, "one too many", res, body, 503, problem.Busy)
	if res, body := s.post(t, string(s.Sign(s.Decision("case-one"), "dora", "erik"))); res.StatusCode != 201 {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	to, lines := stream(t, s.url) // the address is known now
	if got := nextLine(t, to, lines, string(s.Sign(s.Decision("case-two"), "dora", "erik"))); got.Status != 201 {
		t.Errorf("got %+v", got)
	}
}
