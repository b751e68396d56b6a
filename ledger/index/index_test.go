package index_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// decide logs a decision about a name, with changes.
func decide(w *ledgertest.World, name string, change func(*record.Decision)) ledger.Outcome {
	d := w.Decision(name)
	if change != nil {
		change(d)
	}
	return w.Submit(w.Sign(d, "dora", "erik"))
}

// opened returns an index of a world that has caught up.
func opened(t testing.TB, w *ledgertest.World, fs vfs.FS, dir string) *index.Index {
	t.Helper()
	x, err := index.Open(t.Context(), index.Config{Dir: dir, FS: fs, Log: w.Ledger})
	if err != nil {
		t.Fatal(err)
	}
	caughtUp(t, x)
	return x
}

func caughtUp(t testing.TB, x *index.Index) {
	t.Helper()
	for {
		n, err := x.Catch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func closed(t testing.TB, x *index.Index) {
	t.Helper()
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}

// ask returns the indexes that a query string finds, all pages of it, and checks what
// each page says.
func ask(t testing.TB, x *index.Index, query string) []int64 {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	q, p, err := index.ParseQuery(values)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var out []int64
	for {
		found, err := x.Search(t.Context(), q, p)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		for _, h := range found.Items {
			out = append(out, h.Index)
		}
		if found.More != (found.Next != "") || len(found.Items) > p.Limit {
			t.Fatalf("%s: %d items, more %v, next %q", query, len(found.Items), found.More, found.Next)
		}
		if !found.More {
			if int64(len(out)) != found.Total {
				t.Fatalf("%s: %d found, %d in all", query, len(out), found.Total)
			}
			return out
		}
		p.After = found.Next
	}
}

// TestSearch: what is asked for, and what is found.
func TestSearch(t *testing.T) {
	w := ledgertest.New(t, nil)
	first := decide(w, "one", func(d *record.Decision) {
		d.Facts = "Die Seite Café-Müller.example.com zeigte gefälschte Rechnungen. 東京 is named, and naïve readers paid."
		d.Reasons = "Fraud against many readers"
		d.DecidedAt = record.Time(w.Now().Add(-48 * time.Hour).Unix())
		d.Retrospective = nil
		d.DecidedAt = record.Time(w.Now().Unix())
	}).Index
	second := decide(w, "two", func(d *record.Decision) {
		d.Facts, d.Reasons = "Malware was served to readers. Against fraud nothing is known.", "A report with\u200b zero\u200dwidth and \u202eright to left\u202c marks"
	}).Index
	third := decide(w, "three", func(d *record.Decision) {
		d.Facts, d.Reasons = strings.Repeat("x", 20_000)+" end", "see two"
	}).Index
	x := opened(t, w, nil, t.TempDir())
	defer closed(t, x)
	month := w.Now().UTC().Format("2006-01")
	day := w.Now().UTC().Format(time.DateOnly)
	for _, test := range []struct {
		query string
		want  []int64
	}{
		{"q=cafe", []int64{first}},
		{"q=CAFÉ", []int64{first}},
		{"q=muller.example.com", []int64{first}},
		{"q=example+muller", []int64{first}},
		{"q=東京", []int64{first}},
		{"q=naive", []int64{first}},
		{"q=fraud", []int64{second, first}},
		{"q=fraud+-malware", []int64{first}},
		{"q=%22fraud+against%22", []int64{first}},
		{"q=%22against+fraud%22", []int64{second}},
		{"q=-%22against+fraud%22+readers", []int64{first}},
		{"q=readers&order=oldest", []int64{first, second}},
		{"q=malw*", []int64{second}},
		{"q=zerowidth", []int64{second}},
		{"q=right+left", []int64{second}},
		{"q=" + strings.Repeat("x", 300), []int64{third}},
		{"q=end&type=decision", []int64{third}},
		{"q=nowhere", nil},
		{"type=decision", []int64{third, second, first}},
		{"type=decision&limit=1", []int64{third, second, first}},
		{"type=decision&limit=2&order=oldest", []int64{first, second, third}},
		{"type=decision&type=charter&order=oldest&limit=1", []int64{0, first, second, third}},
		{"case=two", []int64{second}},
		{"month=" + month + "&type=decision", []int64{third, second, first}},
		{"from=" + day + "&until=" + day + "&type=decision", []int64{third, second, first}},
		{"until=2020-01-01", nil},
		{"from=" + url.QueryEscape(w.Now().UTC().Add(time.Second).Format(time.RFC3339)) + "&type=decision", nil},
		{"holder=dora&type=decision", []int64{third, second, first}},
		{"standing=void", nil},
	} {
		if got := ask(t, x, test.query); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.query, got, test.want)
		}
	}
	counts, err := x.Count(t.Context(), index.Query{}, 10, index.Type, index.Standing)
	if err != nil || counts.Rows[0].Values[0] != "decision" && counts.Rows[0].Count < 3 || counts.Total != counts.Size {
		t.Errorf("counts: %+v, %v", counts, err)
	}
	sum := int64(0)
	for _, row := range counts.Rows {
		sum += row.Count
	}
	if sum != counts.Size {
		t.Errorf("%d counted of %d", sum, counts.Size)
	}
	near, err := x.Near(t.Context(), "thre")
	if err != nil || len(near) == 0 || near[0] != (index.Suggestion{Field: index.Case, Value: "three"}) {
		t.Errorf("near three: %v, %v", near, err)
	}
	id := string(decide(w, "folded", nil).ID)
	caughtUp(t, x)
	near, err = x.Near(t.Context(), strings.ToLower(id))
	if err != nil || !slices.Contains(near, index.Suggestion{Field: "id", Value: id}) {
		t.Errorf("near %s in small letters: %v, %v", id, near, err)
	}
}

// TestOracle asks random questions, and looks the answers up one record after the
// other.
func TestOracle(t *testing.T) {
	w := ledgertest.New(t, nil)
	vocabulary := strings.Fields("alpha beta gamma delta epsilon zeta eta theta iota kappa")
	r := rand.New(rand.NewPCG(1, 2))
	sentence := func() string {
		words := make([]string, 3+r.IntN(6))
		for i := range words {
			words[i] = vocabulary[r.IntN(len(vocabulary))]
		}
		return strings.Join(words, " ")
	}
	texts := map[int64]string{}
	for i := range 120 {
		var facts string
		out := decide(w, fmt.Sprintf("case-%d", i), func(d *record.Decision) {
			d.Facts, d.Reasons = sentence(), sentence()
			facts = d.Facts + "\n" + d.Reasons
		})
		texts[out.Index] = facts
	}
	x := opened(t, w, nil, t.TempDir())
	defer closed(t, x)
	has := func(text, word string) bool { return slices.Contains(strings.Fields(text), word) }
	for range 300 {
		a, b, c := vocabulary[r.IntN(10)], vocabulary[r.IntN(10)], vocabulary[r.IntN(10)]
		phrase := a + " " + b
		for query, holds := range map[string]func(string) bool{
			a + " " + b + " -" + c: func(s string) bool { return has(s, a) && has(s, b) && !has(s, c) },
			`"` + phrase + `"`: func(s string) bool {
				return strings.Contains(" "+strings.ReplaceAll(s, "\n", " | ")+" ", " "+phrase+" ")
			},
			`"` + phrase + `" -` + c: func(s string) bool {
				return strings.Contains(" "+strings.ReplaceAll(s, "\n", " | ")+" ", " "+phrase+" ") && !has(s, c)
			},
			a[:2] + "* " + c: func(s string) bool {
				return has(s, c) && slices.ContainsFunc(strings.Fields(s), func(w string) bool { return strings.HasPrefix(w, a[:2]) })
			},
		} {
			var want []int64
			for i, s := range texts {
				if holds(s) {
					want = append(want, i)
				}
			}
			slices.Sort(want)
			got := ask(t, x, url.Values{"q": {query}, "type": {"decision"}, "order": {"oldest"}}.Encode())
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %v, want %v", query, got, want)
			}
		}
	}
}

// TestGrowth: a page stays what it is while the log grows, and Run keeps up.
func TestGrowth(t *testing.T) {
	w := ledgertest.New(t, nil)
	for i := range 30 {
		decide(w, fmt.Sprintf("case-%d", i), nil)
	}
	x := opened(t, w, nil, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	q := index.Query{Where: map[index.Field][]string{index.Type: {"decision"}}}
	first, err := x.Search(ctx, q, ledger.Page{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	newest := decide(w, "later", nil)
	if err := x.Wait(ctx, newest.Index+1); err != nil {
		t.Fatal(err)
	}
	if lag := x.Lag(); lag.Size != newest.Index+1 || lag.Head != lag.Size {
		t.Errorf("lag: %+v after %d", lag, newest.Index)
	}
	second, err := x.Search(ctx, q, ledger.Page{Limit: 10, After: first.Next})
	if err != nil || second.Items[0].Index != first.Items[9].Index-1 {
		t.Errorf("the second page begins with %d, %v; the first ends with %d", second.Items[0].Index, err, first.Items[9].Index)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	closed(t, x)
}

// TestCrash: what a crash loses is indexed again, and an index of another log, or a
// damaged one, is made anew.
func TestCrash(t *testing.T) {
	w := ledgertest.New(t, nil)
	for i := range 10 {
		decide(w, fmt.Sprintf("case-%d", i), nil)
	}
	fs := vfs.NewCrashableMem()
	x := opened(t, w, fs, "index")
	crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(3, 4))})
	want := ask(t, x, "type=decision")
	closed(t, x)
	for name, fs := range map[string]vfs.FS{"closed": fs, "crashed": crashed} {
		x := opened(t, w, fs, "index")
		if got := ask(t, x, "type=decision"); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		closed(t, x)
	}
	other := ledgertest.New(t, nil)
	decide(other, "elsewhere", nil)
	x = opened(t, other, fs, "index")
	if got := ask(t, x, "type=decision"); len(got) != 1 {
		t.Errorf("of another log: %v", got)
	}
	closed(t, x)
	f, err := fs.Create("index/MANIFEST-000001", vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write([]byte("nonsense"))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range must(fs.List("index")) {
		if strings.HasPrefix(name, "marker.manifest") {
			if err := fs.Remove("index/" + name); err != nil {
				t.Fatal(err)
			}
		}
	}
	x = opened(t, other, fs, "index")
	if got := ask(t, x, "type=decision"); len(got) != 1 {
		t.Errorf("damaged: %v", got)
	}
	closed(t, x)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestBadQueries: what is wrong is said, with what to do.
func TestBadQueries(t *testing.T) {
	for query, want := range map[string]string{
		"colour=red":                       "colour: \"colour\" is no filter",
		"action=explode":                   "action: \"explode\" is none of its values, which are terminate",
		"from=2026-02-30":                  "from: \"2026-02-30\" is no day",
		"from=yesterday":                   "no day or time",
		"from=2026-02-02&until=2026-01-01": "until: the time ends before it begins",
		"month=2026-13":                    "month: ",
		"q=%22open":                        "q: a quotation mark is not closed",
		"q=-all":                           "every word has a minus",
		"q=!!!":                            "no word in it",
		"q=" + strings.Repeat("a+", 40):    "40 words",
		"q=" + strings.Repeat("a", 500):    "500 bytes",
		"cursor=x":                         "cursor: ",
		"cursor=o5":                        "cursor: ",
		"cursor=n05":                       "cursor: ",
		"limit=0":                          "limit: ",
		"limit=1000000":                    "limit: ",
		"order=random":                     "order: ",
		"q=a&q=b":                          "2 times",
		"case=" + strings.Repeat("a", 300): "300 bytes",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = index.ParseQuery(values)
		var q *index.QueryError
		if !errors.As(err, &q) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", query, err, want)
		}
	}
}

// FuzzParseQuery: what is read is read again from what Values spells.
func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{"q=a+%22b+c%22&type=decision", "from=2026-11-23&until=2026-11-23&order=oldest", "case=x&case=y&cursor=n5&limit=3", "month=2026-11"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		q, _, err := index.ParseQuery(values)
		if err != nil {
			return
		}
		again, _, err := index.ParseQuery(q.Values())
		if err != nil || fmt.Sprint(again) != fmt.Sprint(q) {
			t.Errorf("%q: %+v, again %+v, %v", query, q, again, err)
		}
	})
}
