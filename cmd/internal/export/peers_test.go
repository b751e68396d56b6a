//go:build peers

package export_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// duckdb runs testdata/duckdb/read.mjs in a folder and returns the rows that it prints.
// npm installs what it needs, as .ci/run says.
func duckdb(t *testing.T, dir string, args ...string) [][]byte {
	t.Helper()
	script, err := filepath.Abs("testdata/duckdb/read.mjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", append([]string{script}, args...)...)
	var out, said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	var rows [][]byte
	for line := range bytes.Lines(out.Bytes()) {
		rows = append(rows, line)
	}
	return rows
}

// TestPeerDuckDB lets DuckDB read every cell of every format, and compares them with
// JSON Lines, which TestRows has compared with the log.
func TestPeerDuckDB(t *testing.T) {
	cells := 0
	for name, log := range worlds(t) {
		t.Run(name, func(t *testing.T) {
			linesDir, _ := log.export(t, format(t, "jsonl"))
			for _, table := range []string{"records", "decisions"} {
				want := lines(t, linesDir, table+".jsonl")
				for _, ending := range []string{"jsonl", "csv", "parquet"} {
					dir, _ := log.export(t, format(t, ending))
					got := duckdb(t, dir, table+"."+ending)
					if len(got) != len(want) {
						t.Fatalf("%s.%s: %d rows, want %d", table, ending, len(got), len(want))
					}
					for i := range want {
						cells += compareCells(t, ending, parsed(t, got[i]), parsed(t, want[i]))
					}
				}
			}
		})
	}
	t.Logf("%d cells", cells)
}

// compareCells compares a row that DuckDB read, and says how many cells it has.
func compareCells(t *testing.T, ending string, got, want object) int {
	t.Helper()
	delete(want, "payload")
	delete(want, "record")
	for column, have := range got {
		wanted, given := want[column]
		delete(want, column)
		if ending == "csv" {
			text, _ := have.(string) // DuckDB takes an empty cell for NULL
			have, _ = strings.CutPrefix(text, "'")
			wanted, given = any(cell(wanted)), true
		}
		if !given && have == nil {
			continue
		}
		if !reflect.DeepEqual(have, wanted) {
			t.Errorf("%s: %s is %q, want %q", ending, column, have, wanted)
		}
	}
	if len(want) > 0 {
		t.Errorf("%s has no %v", ending, want)
	}
	return len(got)
}

// TestPeerQueries runs the queries of docs/exports.md.
func TestPeerQueries(t *testing.T) {
	log := worlds(t)["varied"]
	dir, m := log.export(t, format(t, "parquet"))
	text, err := os.ReadFile("../../../docs/exports.md")
	if err != nil {
		t.Fatal(err)
	}
	queries := regexp.MustCompile(`(?m)^    (SELECT .*);$`).FindAllSubmatch(text, -1)
	if len(queries) == 0 {
		t.Fatal("there is none")
	}
	for _, q := range queries {
		sql := strings.ReplaceAll(string(q[1]), "'tables/", "'"+dir+"/")
		rows := duckdb(t, dir, "--sql", sql)
		if len(rows) < 5 {
			t.Errorf("%s: %s", sql, rows)
		}
	}
	var n struct {
		Rows string `json:"n"`
	}
	row := duckdb(t, dir, "--sql", "SELECT count(*) AS n FROM 'decisions.parquet'")
	if err := json.Unmarshal(row[0], &n); err != nil || n.Rows != cell(float64(m.Files[0].Rows)) {
		t.Errorf("%s, want %d (%v)", row, m.Files[0].Rows, err)
	}
}
