package export

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/docket-ledger/docket/verify/record"
)

// A scratch keeps rows on disk, in order, until they are read once. It is for one
// process and has no format that others read.
type scratch[T any] struct {
	file    *os.File
	buffer  *bufio.Writer
	row     []byte
	waiting *batched[T]
}

func newScratch[T any](f *os.File) *scratch[T] {
	s := &scratch[T]{file: f, buffer: bufio.NewWriterSize(f, 1<<16)}
	s.waiting = newBatched(func(rows []T) error {
		for i := range rows {
			if err := s.encode(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return s
}

// add keeps a row.
func (s *scratch[T]) add(row *T) error { return s.waiting.add(row) }

func (s *scratch[T]) encode(row *T) error {
	b, v := s.row[:0], reflect.ValueOf(row).Elem()
	for i := range v.NumField() {
		switch x := v.Field(i).Addr().Interface().(type) {
		case *int64:
			b = binary.AppendVarint(b, *x)
		case *bool:
			n := int64(0)
			if *x {
				n = 1
			}
			b = binary.AppendVarint(b, n)
		case *time.Time:
			n := int64(0)
			if !x.IsZero() {
				n = x.Unix()
			}
			b = binary.AppendVarint(b, n)
		case *string:
			b = append(binary.AppendVarint(b, int64(len(*x))), *x...)
		case *[]string:
			b = binary.AppendVarint(b, int64(len(*x)))
			for _, t := range *x {
				b = append(binary.AppendVarint(b, int64(len(t))), t...)
			}
		}
	}
	s.row = b
	var size [binary.MaxVarintLen64]byte
	if _, err := s.buffer.Write(size[:binary.PutVarint(size[:], int64(len(b)))]); err != nil {
		return err
	}
	_, err := s.buffer.Write(b)
	return err
}

// each calls yield for every row, until it returns an error. The row is that of the next
// call afterwards.
func (s *scratch[T]) each(yield func(*T) error) error {
	if err := s.waiting.end(); err != nil {
		return err
	}
	if err := s.buffer.Flush(); err != nil {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(s.file, 1<<16)
	var b []byte
	row := new(T)
	for {
		size, err := binary.ReadVarint(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		b = slices.Grow(b[:0], int(size))[:size]
		if _, err := io.ReadFull(in, b); err != nil {
			return err
		}
		kept{string(b)}.into(reflect.ValueOf(row).Elem())
		if err := yield(row); err != nil {
			return err
		}
	}
}

// kept is what is left to read of a row; its texts share one string.
type kept struct{ rest string }

func (k kept) into(v reflect.Value) {
	for i := range v.NumField() {
		switch x := v.Field(i).Addr().Interface().(type) {
		case *int64:
			*x = k.int()
		case *bool:
			*x = k.int() != 0
		case *time.Time:
			*x = instant(record.Time(k.int()))
		case *string:
			*x = k.text()
		case *[]string:
			*x = make([]string, k.int())
			for i := range *x {
				(*x)[i] = k.text()
			}
		}
	}
}

func (k *kept) int() int64 {
	n, size := varint(k.rest)
	k.rest = k.rest[size:]
	return n
}

func (k *kept) text() string {
	n := k.int()
	s := k.rest[:n]
	k.rest = k.rest[n:]
	return s
}

// varint is binary.Varint of a string.
func varint(s string) (int64, int) {
	var b [binary.MaxVarintLen64]byte
	return binary.Varint(b[:copy(b[:], s)])
}
