package export

import (
	"github.com/klauspost/compress/s2"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"
)

// A row group is what the writer holds in memory, and what a reader skips or reads.
const (
	rowsOfGroup = 32 << 10
	rowsAtOnce  = 512
)

// quick compresses for Snappy as fast as can be; the library's own prefers small files,
// at twice the time.
type quick struct{ snappy.Codec }

func (quick) Encode(dst, src []byte) ([]byte, error) { return s2.EncodeSnappy(dst, src), nil }

// parquetRows writes a Parquet file: one batch of rows while the next one is filled.
type parquetRows[T any] struct {
	out         *parquet.GenericWriter[T]
	batch, next []T
	written     chan error // of the batch before
}

func newParquet[T any](f *File) rows[T] {
	p := &parquetRows[T]{batch: make([]T, 0, rowsAtOnce), next: make([]T, 0, rowsAtOnce), written: make(chan error, 1),
		out: parquet.NewGenericWriter[T](f, parquet.Compression(&quick{}), parquet.MaxRowsPerRowGroup(rowsOfGroup))}
	p.written <- nil
	return p
}

func (p *parquetRows[T]) write(row *T) error {
	if p.batch = append(p.batch, *row); len(p.batch) < rowsAtOnce {
		return nil
	}
	return p.flush()
}

func (p *parquetRows[T]) flush() error {
	if err := <-p.written; err != nil {
		return err
	}
	full := p.batch
	p.batch, p.next = p.next[:0], full
	go func() {
		_, err := p.out.Write(full)
		clear(full)
		p.written <- err
	}()
	return nil
}

func (p *parquetRows[T]) close() error {
	if err := p.flush(); err != nil {
		return err
	}
	if err := <-p.written; err != nil {
		return err
	}
	return p.out.Close()
}
