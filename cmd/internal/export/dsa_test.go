package export_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/dsa"
	"github.com/docket-ledger/docket/cmd/internal/export"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A split is what an export made of each record, read back from its files.
type split struct {
	statements map[string]map[string]any // by puid
	files      []int                     // how many statements each has
	without    map[string]string         // reason by "index id"
	refused    map[string][]string       // field/rule by "index id"
	mendable   int                       // statements in refused.jsonl
}

// readSplit reads an export, and sees that no statement is there twice.
func readSplit(tb testing.TB, dir string) split {
	tb.Helper()
	s := split{statements: map[string]map[string]any{}, without: map[string]string{}, refused: map[string][]string{}}
	for _, name := range left(tb, dir) {
		if !strings.HasPrefix(name, "statements-") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			tb.Fatal(err)
		}
		all, err := dsa.ReadStatements(b)
		if wrong := dsa.CheckAll(all); err != nil || len(wrong) > 0 {
			tb.Errorf("%s: %+v, %v", name, wrong, err)
		}
		var file map[string][]json.RawMessage
		if err := json.Unmarshal(b, &file); err != nil || len(file) != 1 {
			tb.Fatalf("%s: %v", name, err)
		}
		s.files = append(s.files, len(file["statements"]))
		for _, raw := range file["statements"] {
			var v map[string]any
			if err := json.Unmarshal(raw, &v); err != nil {
				tb.Fatal(err)
			}
			puid := v["puid"].(string)
			if faults := dsa.Check(raw); len(faults) > 0 || s.statements[puid] != nil {
				tb.Errorf("%s: %s is there before, or has faults: %+v", name, puid, faults)
			}
			s.statements[puid] = v
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "refused.jsonl"))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if len(dsa.Check([]byte(line))) == 0 {
			tb.Errorf("nothing is wrong with the refused %s", line)
		}
		s.mendable++
	}
	for _, row := range readCSV(tb, filepath.Join(dir, "not-exported.csv")) {
		s.without[row["index"]+" "+row["id"]] = row["reason"]
	}
	for _, row := range readCSV(tb, filepath.Join(dir, "refused.csv")) {
		key := row["index"] + " " + row["id"]
		s.refused[key] = append(s.refused[key], row["field"]+"/"+row["rule"])
	}
	return s
}

func readCSV(tb testing.TB, name string) (table []map[string]string) {
	tb.Helper()
	f, err := os.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	for _, row := range rows[1:] {
		named := map[string]string{}
		for i, cell := range row {
			named[rows[0][i]] = cell
		}
		table = append(table, named)
	}
	return table
}

// judged is an entry of a log of which people ask.
type judged struct {
	index    int64
	id       record.ID
	payload  record.Payload
	standing rules.Standing
}

func (c copied) asked(tb testing.TB) (all []judged) {
	tb.Helper()
	_, err := c.policies.Audit(tb.Context(), verify.DirSource(c.files), verify.AuditOptions{
		Each: func(i int64, r record.Checked, s rules.Standing) {
			switch r.Payload().(type) {
			case *record.Decision, *record.Appeal, *record.Ruling:
				all = append(all, judged{i, s.ID, r.Payload(), s})
			}
		}})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// expected is what becomes of what is in worlds.
var expected = map[string]map[string]int64{
	"varied": {export.Exported: 0, export.Refused: 0, dsa.NoMeasure: 93, dsa.NotHosting: 95, dsa.NotMarked: 12, dsa.Ordered: 9,
		dsa.Appealed: 20, dsa.Ruled: 14, dsa.Void: 19},
	"every type": {export.Exported: 0, export.Refused: 0, dsa.Reported: 1, dsa.NotHosting: 1, dsa.Appealed: 1, dsa.Ruled: 1, dsa.Void: 1},
	"hostile":    {export.Exported: 0, export.Refused: 1, dsa.Reported: 1, dsa.NotHosting: 1, dsa.NotMarked: 1, dsa.Appealed: 1, dsa.Ruled: 1, dsa.Void: 1},
	"odd":        {export.Exported: 0, export.Refused: 0, dsa.NotMarked: 17},
}

// TestEachOnce: each decision, appeal and ruling is in exactly one list, and none is a
// statement that should not be; the manifest counts them.
func TestEachOnce(t *testing.T) {
	for name, log := range worlds(t) {
		dir, m := log.export(t, format(t, "dsa"))
		s := readSplit(t, dir)
		if s.mendable != len(s.refused) {
			t.Errorf("%s: %d refused statements, of %d", name, s.mendable, len(s.refused))
		}
		if !maps.Equal(m.Counts, expected[name]) {
			t.Errorf("%s: %v, want %v", name, m.Counts, expected[name])
		}
		counts := map[string]int64{export.Exported: int64(len(s.statements)), export.Refused: int64(len(s.refused))}
		for _, reason := range s.without {
			counts[reason]++
		}
		if !maps.Equal(m.Counts, counts) {
			t.Errorf("%s: the manifest counts %v, and there are %v", name, m.Counts, counts)
		}
		asked := log.asked(t)
		if len(asked) != len(s.statements)+len(s.refused)+len(s.without) {
			t.Errorf("%s: %d records, and %d, %d and %d", name, len(asked), len(s.statements), len(s.refused), len(s.without))
		}
		for _, a := range asked {
			key := fmt.Sprintf("%d %s", a.index, a.id)
			d, isDecision := a.payload.(*record.Decision)
			may := isDecision && a.standing.Effective() && d.DSA != nil && d.ServiceLayer == "hosting" && slices.Contains(rules.Measures, d.Action)
			lists := len(s.refused[key])
			if a.standing.Effective() && s.statements[string(a.id)] != nil {
				lists++
			}
			if !may && (lists > 0 || s.without[key] == "") {
				t.Errorf("%s: %s is no statement, and is not among what was not exported", name, key)
			}
			if may && lists == 0 && s.without[key] == "" {
				t.Errorf("%s: %s is in no list", name, key)
			}
		}
	}
}

// marked is a decision that has a statement.
func marked(w *ledgertest.World, name string) *record.Decision {
	d := w.Decision(name)
	d.Grounds[0].Clause = "solo"
	d.DSA = &record.DSA{Category: "STATEMENT_CATEGORY_SCAMS_AND_FRAUD", ContentDate: "2026-11-20", ContentType: []string{"CONTENT_TYPE_TEXT"},
		DecisionGround: "DECISION_GROUND_INCOMPATIBLE_CONTENT"}
	return d
}

// TestSplit has decisions whose case is named for what becomes of them.
func TestSplit(t *testing.T) {
	w := ledgertest.New(t, func(c *ledger.Config) { c.VoidsPerDay = 10 })
	w.Submit(w.Sign(&record.KeyEnrol{Holder: "max", JWK: ledgertest.JWK("max"), Roles: []record.Role{record.RoleMachine}}, "ada", "ben", "max"))
	made := map[string]record.ID{}
	decide := func(name string, change func(*record.Decision)) record.ID {
		d := marked(w, name)
		change(d)
		signers := []string{"dora"}
		if d.Grounds[0].Clause != "solo" {
			signers = append(signers, "erik")
		}
		made[name] = w.Submit(w.Sign(d, signers...)).ID
		return made[name]
	}
	plain := func(*record.Decision) {}
	for i := range 2*dsa.MaxStatements - 1 {
		decide(fmt.Sprintf("exported-%d", i), plain)
	}
	decide("not-marked", func(d *record.Decision) { d.DSA = nil })
	decide("no-restriction", func(d *record.Decision) { d.Action = record.Warn })
	decide("outside-eea", func(d *record.Decision) { d.Territory = []string{"US"} })
	decide("exported-illegal", func(d *record.Decision) {
		d.DSA.DecisionGround, d.DSA.IllegalContentLegalGround = "DECISION_GROUND_ILLEGAL_CONTENT", "a law"
	})
	decide("refused", func(d *record.Decision) { d.Facts = strings.Repeat("x", 5001) })
	long := strings.Repeat("y", 5001)
	mended := decide("exported-mended", func(d *record.Decision) { d.Facts = long })
	w.Submit(w.Sign(&record.Erratum{About: mended, Corrections: []record.Correction{{Member: "facts", Was: long, Is: "Short."}}, Lang: "en", Reasons: "A slip."}, "dora"))
	reported := decide("already-reported", plain)
	elsewhere := decide("exported-elsewhere", plain)
	for about, register := range map[record.ID]string{reported: dsa.Register, elsewhere: "another-register"} {
		w.Submit(w.Sign(&record.Export{About: about, At: w.Time(0), Register: register, Reference: "x"}, "max"))
	}
	w.Advance(time.Minute)

	dir, m := copyOf(t, w).export(t, format(t, "dsa"))
	s := readSplit(t, dir)
	if !slices.Equal(s.files, []int{100, 100, 2}) {
		t.Errorf("files of %v statements", s.files)
	}
	reasons := map[string]string{}
	for key, reason := range s.without {
		_, id, _ := strings.Cut(key, " ")
		reasons[id] = reason
	}
	for name, id := range made {
		want := strings.ReplaceAll(name, "-", "_")
		switch {
		case strings.HasPrefix(name, "exported-"):
			if s.statements[string(id)] == nil {
				t.Errorf("%s: no statement; %s", name, reasons[string(id)])
			}
		case name == "refused":
			if len(s.refused) != 1 || !slices.Equal(slices.Collect(maps.Values(s.refused))[0], []string{"decision_facts/max_length"}) {
				t.Errorf("refused: %v", s.refused)
			}
		case reasons[string(id)] != want:
			t.Errorf("%s: %q", name, reasons[string(id)])
		}
	}
	if got := s.statements[string(mended)]["decision_facts"]; got != "Short." {
		t.Errorf("corrected facts: %v", got)
	}
	one := s.statements[string(made["exported-0"])]
	if one["incompatible_content_ground"] != "abuse, version 1, clause solo (Hosting, small cases)" || one["decision_provision"] != "DECISION_PROVISION_TOTAL_SUSPENSION" {
		t.Errorf("statement %v", one)
	}
	if m.Counts[export.Exported] != 202 || m.Counts[export.Refused] != 1 {
		t.Errorf("counts %v", m.Counts)
	}
	for _, f := range m.Files {
		if n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(f.Name, "statements-"), ".json")); err == nil && f.Rows != int64(s.files[n-1]) {
			t.Errorf("%s: %d rows", f.Name, f.Rows)
		}
	}
}
