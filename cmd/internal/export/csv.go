package export

import (
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// csvRows spells a table as RFC 4180 does: a line of names, lines that end in CR LF,
// quotes where they are needed. encoding/csv would change the ends of lines within
// texts.
type csvRows[T any] struct {
	out     io.Writer
	columns []int // fields of T
	line    []byte
	named   bool
}

func newCSV[T any](f *File) rows[T] { return &csvRows[T]{out: f, columns: flat(reflect.TypeFor[T]())} }

// flat returns which fields of a row are columns of tables.
func flat(row reflect.Type) (fields []int) {
	for i := range row.NumField() {
		if row.Field(i).Type != reflect.TypeFor[jsontext.Value]() {
			fields = append(fields, i)
		}
	}
	return fields
}

// column is the name of a field in every format.
func column(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func (c *csvRows[T]) write(row *T) error {
	c.names()
	v := reflect.ValueOf(row).Elem()
	for n, i := range c.columns {
		c.comma(n)
		c.cell(v.Field(i).Interface())
	}
	return c.end()
}

// close makes a table without rows one with names.
func (c *csvRows[T]) close() error {
	c.names()
	_, err := c.out.Write(c.line)
	return err
}

func (c *csvRows[T]) names() {
	if c.named {
		return
	}
	c.named = true
	for n, i := range c.columns {
		c.comma(n)
		c.line = append(c.line, column(reflect.TypeFor[T]().Field(i))...)
	}
	c.line = append(c.line, "\r\n"...)
}

func (c *csvRows[T]) comma(n int) {
	if n > 0 {
		c.line = append(c.line, ',')
	}
}

func (c *csvRows[T]) end() error {
	c.line = append(c.line, "\r\n"...)
	_, err := c.out.Write(c.line)
	c.line = c.line[:0]
	return err
}

// cell appends a value: a list with spaces between its texts, none of which has one.
func (c *csvRows[T]) cell(v any) {
	switch v := v.(type) {
	case int64:
		c.line = strconv.AppendInt(c.line, v, 10)
	case bool:
		c.line = strconv.AppendBool(c.line, v)
	case time.Time:
		if !v.IsZero() {
			c.line = v.AppendFormat(c.line, time.RFC3339)
		}
	case []string:
		c.text(strings.Join(v, " "))
	case string:
		c.text(v)
	}
}

// formulas are what a spreadsheet program may take for the beginning of a formula: the
// signs, wide ones too, and what some programs skip before them. An apostrophe is
// among them so that leaving one out at the beginning always gives back the text.
var formulas = []string{"=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠"}

// text appends a text, behind an apostrophe if a spreadsheet would calculate with it.
func (c *csvRows[T]) text(s string) {
	for _, f := range formulas {
		if strings.HasPrefix(s, f) {
			s = "'" + s
			break
		}
	}
	if !strings.ContainsAny(s, ",\"\r\n") {
		c.line = append(c.line, s...)
		return
	}
	c.line = append(c.line, '"')
	c.line = append(c.line, strings.ReplaceAll(s, `"`, `""`)...)
	c.line = append(c.line, '"')
}
