package index_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

var (
	records = flag.Int("records", 2000, "`number` of records in the ledger of the benchmarks")
	logFile = flag.String("log", "", "`file` that keeps that ledger: read if it is there, else written")
)

// A log keeps entries in memory: what is measured is the index.
type kept []ledger.Entry

func (k kept) Head() verify.Signed {
	return verify.Signed{Checkpoint: verify.Checkpoint{Size: int64(len(k))}}
}
func (k kept) Grown(int64) <-chan struct{} { return nil }
func (k kept) Entries(_ context.Context, from int64, limit int) ([]ledger.Entry, error) {
	return k[min(int(from), len(k)):min(int(from)+limit, len(k))], nil
}

// varied is a ledger of --records records, and the index of it; made once.
var varied struct {
	once sync.Once
	log  kept
	x    *index.Index
	dir  string
}

// variedIndex returns the index of the varied ledger, and says how fast it was made.
func variedIndex(b *testing.B) *index.Index {
	varied.once.Do(func() {
		start := time.Now()
		varied.log = variedLog(b)
		bytes := 0
		for _, e := range varied.log {
			bytes += len(e.Record)
		}
		fmt.Printf("%d records, %d MB, logged or read in %s\n", len(varied.log), bytes>>20, time.Since(start).Round(time.Second))
		var err error
		if varied.dir, err = os.MkdirTemp("", "index"); err != nil {
			b.Fatal(err)
		}
		before := resident()
		start = time.Now()
		varied.x = rebuilt(b, varied.dir)
		took := time.Since(start)
		fmt.Printf("rebuilt in %s, %.0f records/s; %d MB on disk; resident memory %d MB before, %d MB after\n", took.Round(time.Millisecond),
			float64(len(varied.log))/took.Seconds(), size(b, varied.dir)>>20, before>>20, resident()>>20)
	})
	return varied.x
}

// variedLog returns the records of the varied ledger: those in --log, if the file is
// there.
func variedLog(b *testing.B) (log kept) {
	if f, err := os.Open(*logFile); err == nil {
		defer f.Close()
		for d := json.NewDecoder(f); ; {
			var e ledger.Entry
			if err := d.Decode(&e); err == io.EOF {
				return log
			} else if err != nil {
				b.Fatal(err)
			}
			log = append(log, e)
		}
	}
	w := ledgertest.NewVaried(b, *records)
	defer w.Close()
	for {
		more, err := w.Ledger.Entries(b.Context(), int64(len(log)), 1000)
		if err != nil {
			b.Fatal(err)
		}
		if len(more) == 0 {
			break
		}
		log = append(log, more...)
	}
	if *logFile != "" {
		write(b, *logFile, log)
	}
	return log
}

// write writes a log into a file, an entry a line.
func write(b *testing.B, path string, log kept) {
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	out := bufio.NewWriter(f)
	for _, e := range log {
		if err := json.NewEncoder(out).Encode(e); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(out.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
}

// rebuilt returns an index of the varied ledger, made in a directory.
func rebuilt(b *testing.B, dir string) *index.Index {
	x, err := index.Open(b.Context(), index.Config{Dir: dir, Log: varied.log})
	if err != nil {
		b.Fatal(err)
	}
	caughtUp(b, x)
	return x
}

// resident is how much memory this process has, in bytes; 0 where that is unknown.
func resident() int64 {
	debug.FreeOSMemory()
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, _ := strconv.ParseInt(strings.Fields(rest + " 0")[0], 10, 64)
	return kb << 10
}

// size is how many bytes the files in a directory have.
func size(b *testing.B, dir string) (all int64) {
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				all += info.Size()
			}
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return all
}

// BenchmarkSearch: the kinds of questions that readers ask.
func BenchmarkSearch(b *testing.B) {
	x := variedIndex(b)
	middle := varied.log[len(varied.log)/2]
	for _, test := range []struct{ name, query string }{
		{"all", ""},
		{"field", "action=suspend&layer=dns"},
		{"two values", "action=suspend&action=restrict&severity=critical"},
		{"frequent word", "q=the"},
		{"two frequent words", "q=the+of"},
		{"rare word", "q=" + url.QueryEscape(lastWord(middle))},
		{"word and not", "q=the+-and+-of&type=decision"},
		{"beginning", "q=con*"},
		{"phrase of frequent words", "q=" + url.QueryEscape(`"of the"`)},
		{"phrase of three", "q=" + url.QueryEscape(`"of the and"`)},
		{"phrase within a field", "q=" + url.QueryEscape(`"of the"`) + "&action=terminate&layer=dns"},
		{"japanese", "q=" + url.QueryEscape("東京")},
		{"time", "from=" + day(200) + "&until=" + day(400)},
		{"time to the second", "from=" + day(200) + "T10:11:12Z&until=" + day(400) + "T10:11:12Z"},
		{"oldest, 100", "type=decision&order=oldest&limit=100"},
	} {
		values, err := url.ParseQuery(test.query)
		if err != nil {
			b.Fatal(err)
		}
		q, p, err := index.ParseQuery(values)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(test.name, func(b *testing.B) {
			var total int64
			text, spaces := q.Text, 0
			for b.Loop() {
				if spaces = (spaces + 1) % 100; text != "" { // else it is remembered
					q.Text = text + strings.Repeat(" ", spaces)
				}
				found, err := x.Search(b.Context(), q, p)
				if err != nil {
					b.Fatal(err)
				}
				total = found.Total
			}
			b.ReportMetric(float64(total), "found")
		})
	}
}

// day is a day after the ledger began.
func day(n int) string { return ledgertest.Start.AddDate(0, 0, n).Format(time.DateOnly) }

// lastWord is a word of a record's case.
func lastWord(e ledger.Entry) string {
	if u, err := record.Parse(e.Record); err == nil {
		if act, ok := u.Payload().(record.Act); ok {
			name, _ := act.Place()
			return name
		}
	}
	return "nowhere"
}

// BenchmarkCount: the counts of a page with facets, and those of charts.
func BenchmarkCount(b *testing.B) {
	x := variedIndex(b)
	for _, test := range []struct {
		query string
		by    []index.Field
	}{
		{"", []index.Field{index.Action}},
		{"", []index.Field{index.Month}},
		{"", []index.Field{index.Case}},
		{"q=the&type=decision", []index.Field{index.Clause}},
		{"", []index.Field{index.Action, index.Layer, index.Month}},
		{"", []index.Field{index.Subject, index.Case}},
		{"", []index.Field{index.Subject, index.Case, index.Signer}},
	} {
		values, _ := url.ParseQuery(test.query)
		q, _, err := index.ParseQuery(values)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(test.query, test.by), func(b *testing.B) {
			rows := 0
			for b.Loop() {
				counts, err := x.Count(b.Context(), q, 1<<20, test.by...)
				if err != nil {
					b.Skip(err)
				}
				rows = len(counts.Rows)
			}
			b.ReportMetric(float64(rows), "rows")
		})
	}
}

// BenchmarkAlike: how often what was decided under a clause on a layer, but in a case.
func BenchmarkAlike(b *testing.B) {
	x := variedIndex(b)
	like := index.Query{Where: map[index.Field][]string{index.Type: {"decision"}, index.Standing: {"effective"}}}
	clauses, err := x.Count(b.Context(), like, 1, index.Clause, index.Layer)
	if err != nil || len(clauses.Rows) == 0 {
		b.Fatal(err, clauses.Total)
	}
	like.Where[index.Clause], like.Where[index.Layer] = clauses.Rows[0].Values[:1], clauses.Rows[0].Values[1:]
	found, err := x.Search(b.Context(), like, ledger.Page{Limit: 1})
	if err != nil {
		b.Fatal(err)
	}
	like.Not = map[index.Field][]string{index.Action: {"reinstate"}, index.Case: {lastWord(found.Items[0].Entry)}}
	total := int64(0)
	for b.Loop() {
		counts, err := x.Count(b.Context(), like, 10, index.Action)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := x.Search(b.Context(), like, ledger.Page{Limit: 5}); err != nil {
			b.Fatal(err)
		}
		total = counts.Total
	}
	b.ReportMetric(float64(total), "alike")
}

// BenchmarkNear: what a reader gets who mistypes.
func BenchmarkNear(b *testing.B) {
	x := variedIndex(b)
	middle := varied.log[len(varied.log)/2]
	for name, text := range map[string]string{"case": "abuse-2026-00012x", "id": string(middle.ID)[:20] + "x" + string(middle.ID)[21:], "beginning of an id": string(middle.ID)[:12], "nothing": "completely-different"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := x.Near(b.Context(), text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
