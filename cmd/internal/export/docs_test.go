package export_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/parquet-go/parquet-go"

	"github.com/docket-ledger/docket/cmd/internal/export"
)

// TestDocument holds docs/exports.md to the rows: the same columns, in the same order
// and of the same types, and Parquet files that have them.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile("../../../docs/exports.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]any{"records": export.Record{}, "decisions": export.Decision{}} {
		_, section, ok := strings.Cut(string(b), "\n### "+name+"\n")
		if !ok {
			t.Fatalf("no section %s", name)
		}
		section, _, _ = strings.Cut(section, "\n#")
		var said []string
		for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-zA-Z/]+) \\| .+ \\|$").FindAllStringSubmatch(section, -1) {
			said = append(said, m[1]+" "+m[2])
		}
		var is, stored []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(row)) {
			column, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			is = append(is, column+" "+typeName(f.Type))
			if f.Type != reflect.TypeFor[jsontext.Value]() {
				stored = append(stored, column+" "+typeName(f.Type))
			}
		}
		if !slices.Equal(said, is) {
			t.Errorf("%s: the document says\n%q, and a row has\n%q", name, said, is)
		}
		var columns []string
		for _, f := range parquet.SchemaOf(row).Fields() {
			columns = append(columns, f.Name()+" "+parquetType(f))
		}
		if !slices.Equal(columns, stored) {
			t.Errorf("%s: Parquet has\n%q, want\n%q", name, columns, stored)
		}
	}
}

func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[string]():
		return "text"
	case reflect.TypeFor[int64]():
		return "number"
	case reflect.TypeFor[bool]():
		return "yes/no"
	case reflect.TypeFor[time.Time]():
		return "time"
	case reflect.TypeFor[[]string]():
		return "texts"
	case reflect.TypeFor[jsontext.Value]():
		return "JSON"
	}
	return t.String()
}

func parquetType(f parquet.Field) string {
	kind := f.Type().String()
	if !f.Leaf() {
		kind += " of " + f.Fields()[0].Fields()[0].Type().String()
	}
	switch {
	case kind == "STRING" && f.Required():
		return "text"
	case kind == "INT(64,true)" && f.Required():
		return "number"
	case kind == "BOOLEAN" && f.Required():
		return "yes/no"
	case kind == "TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)" && f.Optional():
		return "time"
	case kind == "LIST of STRING" && f.Required():
		return "texts"
	}
	return kind
}
