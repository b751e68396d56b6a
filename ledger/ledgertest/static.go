package ledgertest

import (
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
)

// StaticLog returns the files of a log of any entries, signed: what an operator
// can make who does not use a ledger.
func StaticLog(signer note.Signer, entries [][]byte) (map[string][]byte, error) {
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	for i, e := range entries {
		hashes, err := tlog.StoredHashes(int64(i), e, read)
		if err != nil {
			return nil, err
		}
		stored = append(stored, hashes...)
	}
	size := int64(len(entries))
	root, err := tlog.TreeHash(size, read)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for id := range tile.All(size) {
		var b []byte
		for i := range int64(id.Width) {
			n := id.N*tile.FullWidth + i
			if id.Level == tile.Entries {
				if b, err = tile.AppendEntry(b, entries[n]); err != nil {
					return nil, err
				}
				continue
			}
			h := stored[tlog.StoredHashIndex(id.Level*tile.Height, n)]
			b = append(b, h[:]...)
		}
		files[id.Path()] = b
	}
	cp := verify.Checkpoint{Origin: signer.Name(), Size: size, Root: root}
	files["checkpoint"], err = cp.Sign(signer)
	return files, err
}
