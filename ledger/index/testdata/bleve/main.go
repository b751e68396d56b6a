// Command bleve indexes the records of a log with bleve, a search library, and asks it
// what the benchmarks of package index ask: docs/notes/index.md compares the two.
//
//	go test ./ledger/index -run '^$' -bench . -records 100000 -log /tmp/log.json
//	cd ledger/index/testdata/bleve && go run . /tmp/log.json
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/keyword"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/simple"
	"github.com/blevesearch/bleve/v2/mapping"
	"github.com/blevesearch/bleve/v2/search/query"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run . LOG, a log as the benchmarks of package index write it")
	}
	if err := compare(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func compare(path string) error {
	dir, err := os.MkdirTemp("", "bleve")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	start := time.Now()
	x, err := bleve.New(filepath.Join(dir, "index"), fieldsOf())
	if err != nil {
		return err
	}
	n, err := fill(x, path)
	if err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Printf("%d records in %s, %.0f records/s; %s", n, took.Round(time.Second), float64(n)/took.Seconds(), resident())
	for _, ask := range questions() {
		if err := answer(x, ask); err != nil {
			return err
		}
	}
	if err := x.Close(); err != nil {
		return err
	}
	fmt.Printf("%d MB on disk\n", size(dir)>>20)
	return nil
}

// fieldsOf has the fields of package index that the questions need, and one for the
// words; nothing is stored, as the log has it.
func fieldsOf() mapping.IndexMapping {
	exact := bleve.NewTextFieldMapping()
	exact.Analyzer, exact.Store, exact.IncludeInAll, exact.IncludeTermVectors = keyword.Name, false, false, false
	words := bleve.NewTextFieldMapping()
	words.Analyzer, words.Store, words.IncludeInAll = simple.Name, false, false // which leaves no word out
	doc := bleve.NewDocumentStaticMapping()
	doc.AddFieldMappingsAt("words", words)
	for _, name := range fields {
		doc.AddFieldMappingsAt(name, exact)
	}
	m := bleve.NewIndexMapping()
	m.DefaultMapping = doc
	return m
}

// fields are members of payloads that are looked up.
var fields = []string{"type", "case", "action", "service_layer", "severity", "subject"}

// fill indexes the records of a log.
func fill(x bleve.Index, path string) (n int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	batch := x.NewBatch()
	for d := json.NewDecoder(bufio.NewReader(f)); ; n++ {
		var entry struct{ Record []byte }
		err := d.Decode(&entry)
		if batch.Size() == 1024 || errors.Is(err, io.EOF) {
			if err := x.Batch(batch); err != nil {
				return n, err
			}
			batch.Reset()
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		doc, err := document(entry.Record)
		if err != nil {
			return n, err
		}
		if err := batch.Index(fmt.Sprintf("%09d", n), doc); err != nil {
			return n, err
		}
	}
}

// document is what of a record is indexed.
func document(record []byte) (map[string]any, error) {
	var signed struct{ Payload string }
	var payload map[string]any
	if err := json.Unmarshal(record, &signed); err != nil {
		return nil, err
	}
	text, err := base64.RawURLEncoding.DecodeString(signed.Payload)
	if err == nil {
		err = json.Unmarshal(text, &payload)
	}
	if err != nil {
		return nil, err
	}
	doc := map[string]any{}
	for _, name := range fields {
		if v, ok := payload[name].(string); ok {
			doc[name] = v
		}
	}
	if s, ok := payload["subject"].(map[string]any); ok {
		doc["subject"] = s["ref"]
	}
	var words []string
	for _, name := range []string{"case", "facts", "reasons", "redress", "summary", "text", "statement", "title", "detail"} {
		if v, ok := payload[name].(string); ok {
			words = append(words, v)
		}
	}
	doc["words"] = strings.Join(words, "\n")
	return doc, nil
}

type question struct {
	name  string
	query query.Query
	facet string
}

func questions() []question {
	word := func(w string) query.Query {
		q := bleve.NewTermQuery(w)
		q.SetField("words")
		return q
	}
	value := func(field, v string) query.Query {
		q := bleve.NewTermQuery(v)
		q.SetField(field)
		return q
	}
	phrase := func(words string) query.Query {
		q := bleve.NewMatchPhraseQuery(words)
		q.SetField("words")
		return q
	}
	prefix := bleve.NewPrefixQuery("con")
	prefix.SetField("words")
	all := bleve.NewMatchAllQuery()
	return []question{
		{"all", all, ""},
		{"field", bleve.NewConjunctionQuery(value("action", "suspend"), value("service_layer", "dns")), ""},
		{"frequent word", word("the"), ""},
		{"two frequent words", bleve.NewConjunctionQuery(word("the"), word("of")), ""},
		{"beginning", prefix, ""},
		{"phrase of frequent words", phrase("of the"), ""},
		{"phrase within a field", bleve.NewConjunctionQuery(phrase("of the"), value("action", "terminate"), value("service_layer", "dns")), ""},
		{"count [action]", all, "action"},
		{"count [case]", all, "case"},
		{"count [subject]", all, "subject"},
	}
}

// answer asks a question some times, for the first twenty, newest first, and their
// number.
func answer(x bleve.Index, ask question) error {
	var times []time.Duration
	var total uint64
	for range 15 {
		req := bleve.NewSearchRequestOptions(ask.query, 20, 0, false)
		req.Score = "none"
		req.SortBy([]string{"-_id"})
		if ask.facet != "" {
			req.AddFacet(ask.facet, bleve.NewFacetRequest(ask.facet, 100_000))
		}
		start := time.Now()
		found, err := x.Search(req)
		if err != nil {
			return err
		}
		times, total = append(times, time.Since(start)), found.Total
	}
	slices.Sort(times)
	fmt.Printf("%-26s %8.1f ms %8d found\n", ask.name, times[len(times)/2].Seconds()*1000, total)
	return nil
}

// resident says how much memory this process has.
func resident() string {
	debug.FreeOSMemory()
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	line, _, _ := strings.Cut(rest, "\n")
	return "resident memory " + strings.TrimSpace(line) + "\n"
}

// size is how many bytes the files in a directory have.
func size(dir string) (all int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				all += info.Size()
			}
		}
		return nil
	})
	return all
}
