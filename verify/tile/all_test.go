package tile_test

import (
	"slices"
	"testing"

	"github.com/docket-ledger/docket/verify/tile"
)

func TestAll(t *testing.T) {
	paths := func(size int64) []string {
		var out []string
		for id := range tile.All(size) {
			out = append(out, id.Path())
		}
		return out
	}
	for _, test := range []struct {
		size int64
		want []string
	}{
		{0, nil},
		{1, []string{"tile/0/000.p/1", "tile/entries/000.p/1"}},
		{255, []string{"tile/0/000.p/255", "tile/entries/000.p/255"}},
		{256, []string{"tile/0/000", "tile/1/000.p/1", "tile/entries/000"}},
		{257, []string{"tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/1"}},
	} {
		if got := paths(test.size); !slices.Equal(got, test.want) {
			t.Errorf("All(%d) = %q, want %q", test.size, got, test.want)
		}
	}
	if got := paths(70000); len(got) != 274+2+1+274 || got[273] != "tile/0/273.p/112" || got[276] != "tile/2/000.p/1" {
		t.Errorf("All(70000): %d paths, %q, %q", len(got), got[273], got[276])
	}
}
