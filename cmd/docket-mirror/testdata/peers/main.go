// Peers follows a log with Tessera's client: for each line on standard input it asks
// for the newest checkpoint, proves that it extends the one before and that the
// first and the last entry are in it, and prints its size.
//
//	peers URL VKEY
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	ctx := context.Background()
	root, err := url.Parse(os.Args[1] + "/")
	check(err)
	verifier, err := note.NewVerifier(os.Args[2])
	check(err)
	fetcher, err := client.NewHTTPFetcher(root, http.DefaultClient)
	check(err)
	var tracker *client.LogStateTracker
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if tracker == nil {
			tracker, err = client.NewLogStateTracker(ctx, fetcher.ReadTile, nil, verifier, verifier.Name(), client.UnilateralConsensus(fetcher.ReadCheckpoint))
		} else {
			_, _, _, err = tracker.Update(ctx)
		}
		check(err)
		cp := tracker.Latest()
		for _, index := range []uint64{0, cp.Size - 1} {
			if cp.Size == 0 {
				continue
			}
			bundle, err := client.GetEntryBundle(ctx, fetcher.ReadEntryBundle, index/256, cp.Size)
			check(err)
			leaf := rfc6962.DefaultHasher.HashLeaf(bundle.Entries[index%256])
			builder, err := client.NewProofBuilder(ctx, cp.Size, fetcher.ReadTile)
			check(err)
			p, err := builder.InclusionProof(ctx, index)
			check(err)
			check(proof.VerifyInclusion(rfc6962.DefaultHasher, index, cp.Size, leaf, p, cp.Hash))
		}
		fmt.Println(cp.Size)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
