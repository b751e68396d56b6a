package export

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

// many has one column of each type.
type many struct {
	N    int64     `parquet:"n,delta"`
	Text string    `parquet:"text"`
	Few  string    `parquet:"few,dict"`
	List []string  `parquet:"list,list" parquet-element:",dict"`
	Yes  bool      `parquet:"yes"`
	At   time.Time `parquet:"at,optional,timestamp(millisecond)"`
}

func manyRow(i int64) many {
	row := many{N: -i, Text: fmt.Sprint("text ", i*i), Few: fmt.Sprint(i % 3), List: []string{}, Yes: i%2 == 0}
	for n := range i % 4 {
		row.List = append(row.List, fmt.Sprint(n))
	}
	if i%5 > 0 {
		row.At = time.Unix(1_700_000_000+i, 0).UTC()
	}
	return row
}

// TestMany: many rows, over several batches and row groups, come back from where they
// wait and from a Parquet file, in order.
func TestMany(t *testing.T) {
	const rows = 2*rowsOfGroup + 700
	d, err := newFolder(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	temp, err := d.Scratch()
	if err != nil {
		t.Fatal(err)
	}
	f, err := d.Create("many.parquet")
	if err != nil {
		t.Fatal(err)
	}
	wait, out, n := newScratch[many](temp), newParquet[many](f), int64(0)
	for i := range int64(rows) {
		row := manyRow(i)
		if err := wait.add(&row); err != nil {
			t.Fatal(err)
		}
	}
	err = wait.each(func(row *many) error {
		if want := manyRow(n); !reflect.DeepEqual(*row, want) {
			return fmt.Errorf("row %d is %+v, want %+v", n, *row, want)
		}
		n++
		return out.write(row)
	})
	if err := errors.Join(err, out.close()); err != nil || n != rows {
		t.Fatalf("%d rows, want %d: %v", n, rows, err)
	}
	if _, err := d.close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.now, "many.parquet")
	got, err := parquet.ReadFile[many](path)
	if err != nil || len(got) != rows {
		t.Fatalf("%d rows, want %d: %v", len(got), rows, err)
	}
	for i, row := range got {
		if row.List == nil {
			row.List = []string{}
		}
		if want := manyRow(int64(i)); !reflect.DeepEqual(row, want) {
			t.Fatalf("row %d is %+v, want %+v", i, row, want)
		}
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p, err := parquet.OpenFile(file, info.Size())
	if err != nil || len(p.RowGroups()) != 3 {
		t.Errorf("%d row groups, want 3: %v", len(p.RowGroups()), err)
	}
}

// TestBackground: the first error stays, nothing is begun after it, and nobody hangs.
func TestBackground(t *testing.T) {
	full, b, begun := errors.New("no space left"), newBackground(), 0
	for range 3 {
		_ = b.run(func() error { begun++; return full })
	}
	if err := b.wait(); !errors.Is(err, full) || begun != 1 {
		t.Errorf("%v, %d begun", err, begun)
	}
	rows := newBatched(func([]int) error { return full })
	for i := range 4 * rowsAtOnce {
		_ = rows.add(&i)
	}
	if err := rows.end(); !errors.Is(err, full) {
		t.Error(err)
	}
}
