package export

import (
	"github.com/parquet-go/parquet-go"
)

// A row group is what the writer holds in memory, and what a reader skips or reads.
const (
	rowsOfGroup = 64 << 10
	rowsAtOnce  = 256
)

// parquetRows writes a Parquet file.
type parquetRows[T any] struct {
	out     *parquet.GenericWriter[T]
	waiting []T
}

func newParquet[T any](f *File) rows[T] {
	return &parquetRows[T]{out: parquet.NewGenericWriter[T](f, parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(rowsOfGroup))}
}

func (p *parquetRows[T]) write(row *T) error {
	if p.waiting = append(p.waiting, *row); len(p.waiting) < rowsAtOnce {
		return nil
	}
	return p.flush()
}

func (p *parquetRows[T]) flush() error {
	_, err := p.out.Write(p.waiting)
	clear(p.waiting)
	p.waiting = p.waiting[:0]
	return err
}

func (p *parquetRows[T]) close() error {
	if err := p.flush(); err != nil {
		return err
	}
	return p.out.Close()
}
