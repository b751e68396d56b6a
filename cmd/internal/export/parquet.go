package export

import (
	"github.com/klauspost/compress/s2"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"
)

// rowsOfGroup is how large a row group is, which the writer holds in memory, and a
// reader skips or reads.
const rowsOfGroup = 16 << 10

// quick compresses for Snappy as fast as can be; the library's own prefers small files,
// at twice the time.
type quick struct{ snappy.Codec }

func (quick) Encode(dst, src []byte) ([]byte, error) { return s2.EncodeSnappy(dst, src), nil }

// parquetRows writes a Parquet file.
type parquetRows[T any] struct {
	out     *parquet.GenericWriter[T]
	waiting *batched[T]
}

func newParquet[T any](f *File) rows[T] {
	out := parquet.NewGenericWriter[T](f, parquet.Compression(&quick{}), parquet.MaxRowsPerRowGroup(rowsOfGroup))
	return parquetRows[T]{out, newBatched(func(rows []T) error {
		_, err := out.Write(rows)
		return err
	})}
}

func (p parquetRows[T]) write(row *T) error { return p.waiting.add(row) }

func (p parquetRows[T]) close() error {
	if err := p.waiting.end(); err != nil {
		return err
	}
	return p.out.Close()
}
