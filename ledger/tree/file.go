package tree

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/tile"
)

// File returns a tile or entry bundle of a log as c2sp.org/tlog-tiles spells it.
// All of it must lie below the head.
func File(ctx context.Context, log Log, id tile.ID) ([]byte, error) {
	if id.Level != tile.Entries {
		return log.Tile(ctx, id.Level, id.N, id.Width)
	}
	start := id.N * tile.FullWidth
	leaves, err := log.Leaves(ctx, start, start+int64(id.Width))
	if err != nil {
		return nil, err
	}
	var bundle []byte
	for _, leaf := range leaves {
		if bundle, err = tile.AppendEntry(bundle, leaf); err != nil {
			return nil, err
		}
	}
	return bundle, nil
}

// Hashes returns a reader of the hashes of a log, by their
// tlog.StoredHashIndex, for the functions of package tlog.
func Hashes(ctx context.Context, log Log) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			t := tlog.TileForIndex(tile.Height, x)
			data, err := log.Tile(ctx, t.L, t.N, t.W)
			if err != nil {
				return nil, err
			}
			if out[i], err = tlog.HashFromTile(t, data, x); err != nil {
				return nil, err
			}
		}
		return out, nil
	})
}
