package export

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFormulas: no text of a cell begins like a formula, what was put before it can
// be told, and numbers stay numbers.
func TestFormulas(t *testing.T) {
	type row struct {
		Text string    `json:"text"`
		List []string  `json:"list"`
		N    int64     `json:"n"`
		Yes  bool      `json:"yes"`
		At   time.Time `json:"at"`
	}
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		row  row
		want string
	}{
		{row{Text: "=HYPERLINK(0)"}, "'=HYPERLINK(0),,0,false,\r\n"},
		{row{Text: "+1", N: 7}, "'+1,,7,false,\r\n"},
		{row{Text: "-1", N: -7}, "'-1,,-7,false,\r\n"},
		{row{Text: "@SUM(A1,A2)"}, "\"'@SUM(A1,A2)\",,0,false,\r\n"},
		{row{Text: "\t=1"}, "'\t=1,,0,false,\r\n"},
		{row{Text: "\r=1"}, "\"'\r=1\",,0,false,\r\n"},
		{row{Text: "\n=1"}, "\"'\n=1\",,0,false,\r\n"},
		{row{Text: "'=1"}, "''=1,,0,false,\r\n"},
		{row{Text: "＝1"}, "'＝1,,0,false,\r\n"},
		{row{Text: "=1\",\"=2"}, "\"'=1\"\",\"\"=2\",,0,false,\r\n"},
		{row{Text: `he said "no"`}, "\"he said \"\"no\"\"\",,0,false,\r\n"},
		{row{Text: "a\r\nb\nc"}, "\"a\r\nb\nc\",,0,false,\r\n"},
		{row{Text: "1=2 a-b"}, "1=2 a-b,,0,false,\r\n"},
		{row{List: []string{"-k1", "k2"}, Yes: true}, ",'-k1 k2,0,true,\r\n"},
		{row{At: at}, ",,0,false,2026-11-23T08:00:00Z\r\n"},
	} {
		d, err := newFolder(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		f, err := d.Create("t.csv")
		if err != nil {
			t.Fatal(err)
		}
		c := newCSV[row](f)
		if err := c.write(&test.row); err != nil {
			t.Fatal(err)
		}
		if err := c.close(); err != nil {
			t.Fatal(err)
		}
		info, err := f.close()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(d.now, "t.csv"))
		if want := "text,list,n,yes,at\r\n" + test.want; err != nil || string(got) != want || info.Size != int64(len(want)) {
			t.Errorf("%q, want %q (%+v, %v)", got, want, info, err)
		}
	}
}
