package export_test

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/parquet-go/parquet-go"

	"github.com/docket-ledger/docket/cmd/internal/export"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// An object is a row as encoding/json would read it, or a payload.
type object = map[string]any

// TestRows reads every row of every format back and compares it with the log: JSON
// Lines with what the audit reads, member by member of the payload as it was signed;
// CSV and Parquet with JSON Lines, cell by cell.
func TestRows(t *testing.T) {
	for name, log := range worlds(t) {
		t.Run(name, func(t *testing.T) {
			dir, m := log.export(t, format(t, "jsonl"))
			records, decisions := lines(t, dir, "records.jsonl"), lines(t, dir, "decisions.jsonl")
			compareLog(t, log, m, records, decisions)
			dir, _ = log.export(t, format(t, "csv"))
			compareCSV(t, filepath.Join(dir, "records.csv"), records)
			compareCSV(t, filepath.Join(dir, "decisions.csv"), decisions)
			parquetDir, _ := log.export(t, format(t, "parquet"))
			compareParquet[export.Record](t, filepath.Join(parquetDir, "records.parquet"), records)
			compareParquet[export.Decision](t, filepath.Join(parquetDir, "decisions.parquet"), decisions)
		})
	}
}

// lines reads JSON Lines.
func lines(t *testing.T, dir, name string) (rows [][]byte) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		rows = append(rows, line)
	}
	return rows
}

func parsed(t *testing.T, line []byte) object {
	t.Helper()
	var o object
	if err := json.Unmarshal(line, &o); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return o
}

// compareLog audits the log again and compares.
func compareLog(t *testing.T, log copied, m *export.Manifest, records, decisions [][]byte) {
	t.Helper()
	type entry struct {
		payload object
		s       rules.Standing
	}
	var made []entry // decisions
	sum, err := log.policies.Audit(t.Context(), verify.DirSource(log.files), verify.AuditOptions{Each: func(index int64, r record.Checked, s rules.Standing) {
		line := records[index]
		if !bytes.Contains(line, append([]byte(`"record":`), r.Bytes()...)) || !bytes.Contains(line, append([]byte(`"payload":`), r.PayloadBytes()...)) {
			t.Errorf("record %d is not in %s", index, line)
		}
		row, payload := parsed(t, line), parsed(t, r.PayloadBytes())
		compareMembers(t, row, payload, s, recordMembers)
		if want := cmp.Or(member(payload, "outcome"), member(payload, "result"), any("")); row["outcome"] != want {
			t.Errorf("record %d: outcome is %v, want %v", index, row["outcome"], want)
		}
		if !slices.EqualFunc(row["cites"].([]any), record.Cited(r.Payload()), func(a any, b record.ID) bool { return a == string(b) }) {
			t.Errorf("record %d cites %v", index, row["cites"])
		}
		var kids []any
		for _, h := range r.Headers() {
			kids = append(kids, h.KID)
		}
		if !reflect.DeepEqual(row["signers"], any(kids)) || row["signed_at"] != latest(r) || row["bytes"] != float64(len(r.Bytes())) {
			t.Errorf("record %d: signed as %v", index, row)
		}
		if payload["type"] == "decision" {
			made = append(made, entry{payload, s})
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != int(sum.Entries) || len(decisions) != len(made) || m.Files[0].Rows != int64(len(made)) || m.Files[1].Rows != sum.Entries {
		t.Fatalf("%d records and %d decisions (%+v), want %d and %d", len(records), len(decisions), m.Files, sum.Entries, len(made))
	}
	if m.Size != sum.Entries || m.Root != sum.Signed.Checkpoint.Root.String() || m.Checkpoint != string(sum.Signed.Note) || m.AsOf.Unix() != sum.Time {
		t.Errorf("%+v", m)
	}
	for i, line := range decisions {
		row := parsed(t, line)
		compareMembers(t, row, made[i].payload, made[i].s, decisionMembers)
		var clauses []any
		grounds, _ := made[i].payload["grounds"].([]any)
		for _, g := range grounds {
			if p := g.(object)["policy"]; p != nil {
				clauses = append(clauses, fmt.Sprintf("%v/%v/%v", p, member(g, "version"), member(g, "clause")))
			}
		}
		if !slices.Equal(row["clauses"].([]any), clauses) || row["retrospective"] != (made[i].payload["retrospective"] != nil) {
			t.Errorf("decision %d rests on %v, want %v; retrospective is %v", i, row["clauses"], clauses, row["retrospective"])
		}
		compareEnd(t, row, sum, made[i].s.Effective())
	}
}

func latest(r record.Checked) string {
	at := slices.MaxFunc(r.Headers(), func(a, b record.Header) int { return int(a.IAT - b.IAT) }).IAT
	return time.Unix(at, 0).UTC().Format(time.RFC3339)
}

// recordMembers and decisionMembers say which member of a payload, as signed, is in
// which column. Members of lists are joined.
var (
	recordMembers   = map[string]string{"type": "type", "case": "case", "prev": "prev", "action": "action", "service_layer": "service_layer"}
	decisionMembers = map[string]string{"case": "case", "prev": "prev", "action": "action", "service_layer": "service_layer",
		"subject_type": "subject/type", "subject_ref": "subject/ref", "subject_name": "subject/name", "subject_locator": "subject/locator",
		"grounds": "grounds/record", "severity": "severity", "trigger": "trigger/kind", "trigger_authority": "trigger/authority",
		"trigger_legal_reference": "trigger/legal_reference", "trigger_reporter": "trigger/reporter", "trigger_intake": "trigger/intake",
		"automation_detection": "automation/detection", "automation_decision": "automation/decision", "emergency": "emergency/harm",
		"retrospective_why": "retrospective/why", "alternatives": "alternatives/action", "territory": "territory", "lang": "lang",
		"facts": "facts", "reasons": "reasons", "redress": "redress", "precedents": "precedents", "distinguishing_reason": "distinguishing_reason",
		"decided_at": "decided_at", "effective_at": "effective_at", "until": "until", "review_at": "review_at"}
)

// member finds a member of a payload: nil if it is not there.
func member(v any, path string) any {
	first, rest, _ := strings.Cut(path, "/")
	switch v := v.(type) {
	case object:
		if rest == "" {
			return v[first]
		}
		return member(v[first], rest)
	case []any:
		var out []any
		for _, e := range v {
			out = append(out, member(e, path))
		}
		return out
	}
	return nil
}

func compareMembers(t *testing.T, row, payload object, s rules.Standing, members map[string]string) {
	t.Helper()
	for column, path := range members {
		got, want := row[column], member(payload, path)
		if list, ok := got.([]any); ok && len(list) == 0 {
			got = nil
		}
		if got == "" {
			got = nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("record %v: %s is %v, want %v", row["index"], column, got, want)
		}
	}
	if row["index"] != float64(s.Index) || row["id"] != string(s.ID) || row["effective"] != s.Effective() || !sameCodes(row["codes"], s.Codes) || !sameCodes(row["findings"], s.Findings) {
		t.Errorf("%v, want %+v", row, s)
	}
}

func sameCodes(got any, want []rules.Code) bool {
	list, ok := got.([]any)
	return ok && slices.EqualFunc(list, want, func(a any, b rules.Code) bool { return a == string(b) })
}

// compareEnd compares what became of a decision.
func compareEnd(t *testing.T, row object, sum *verify.Summary, effective bool) {
	t.Helper()
	want := &rules.Decided{}
	if effective {
		var err error
		if want, err = rules.ReadStatus(sum.State(), row["case"].(string), record.ID(row["id"].(string)), sum.Time); err != nil {
			t.Fatal(err)
		}
	}
	at := func(v any) string { s, _ := v.(string); return s }
	if row["status"] != string(want.Status) || row["in_force"] != want.Status.Acts() || row["notified"] != want.Notified || row["contested"] != want.Contested ||
		at(row["ratify_by"]) != want.Deadline.String() || at(row["appeal_by"]) != want.Appeal.String() {
		t.Errorf("%v, want %+v", row, want)
	}
}

// compareCSV compares each cell with the member of its column.
func compareCSV(t *testing.T, path string, rows [][]byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	table, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(table) != len(rows)+1 {
		t.Fatalf("%s: %d lines, want %d and one of names", path, len(table), len(rows))
	}
	for i, line := range rows {
		row := parsed(t, line)
		delete(row, "payload")
		delete(row, "record")
		for n, name := range table[0] {
			got, want := table[i+1][n], cell(row[name])
			delete(row, name)
			if strings.ContainsAny(string([]rune(got + " ")[:1]), "=+-@\t\r") {
				t.Errorf("%s: row %d: %s begins a formula: %q", path, i, name, got)
			}
			if got, _ = strings.CutPrefix(got, "'"); got != strings.ReplaceAll(want, "\r\n", "\n") { // as encoding/csv reads it
				t.Errorf("%s: row %d: %s is %q, want %q", path, i, name, got, want)
			}
		}
		if len(row) > 0 {
			t.Fatalf("%s: no column for %v", path, row)
		}
	}
}

// cell is how a value of JSON looks in CSV.
func cell(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		return v
	case []any:
		var list []string
		for _, e := range v {
			list = append(list, e.(string))
		}
		return strings.Join(list, " ")
	}
	return "" // a time that is not there
}

// compareParquet compares each row with that of JSON Lines.
func compareParquet[T any](t *testing.T, path string, rows [][]byte) {
	t.Helper()
	got, err := parquet.ReadFile[T](path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(rows) {
		t.Fatalf("%s: %d rows, want %d", path, len(got), len(rows))
	}
	for i, line := range rows {
		b, err := json.Marshal(&got[i])
		if err != nil {
			t.Fatal(err)
		}
		have, want := parsed(t, b), parsed(t, line)
		for _, only := range []string{"payload", "record"} {
			delete(have, only)
			delete(want, only)
		}
		if !reflect.DeepEqual(have, want) {
			t.Errorf("%s: row %d is %v, want %v", path, i, have, want)
		}
	}
}
