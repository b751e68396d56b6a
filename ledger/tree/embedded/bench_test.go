package embedded_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/docket-ledger/docket/ledger/tree/embedded"
)

// BenchmarkAppend appends leaves of 1 KB on the real disk. An operation is a
// leaf.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			log, err := embedded.Open(b.Context(), embedded.Config{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			random := rand.NewChaCha8([32]byte{})
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; {
				batch := make([][]byte, min(size, b.N-done))
				for i := range batch {
					batch[i] = make([]byte, 1024)
					_, _ = random.Read(batch[i])
					binary.BigEndian.PutUint64(batch[i], uint64(done+i))
				}
				if _, err := log.Append(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				done += len(batch)
			}
			b.StopTimer()
			if err := log.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
