//go:build fleet

package fleettest

import (
	"context"
	"fmt"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Bare appends leaves to a new tree of the fleet with nothing of ours in between: in
// batches, each waited for until the root has it. It returns how long that took, and
// each batch.
func (f *Fleet) Bare(ctx context.Context, leaves [][]byte, batch int) (took time.Duration, each []time.Duration, err error) {
	conn, err := grpc.NewClient(f.Addresses[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close()
	tree, err := trillian.NewTrillianAdminClient(conn).CreateTree(ctx, &trillian.CreateTreeRequest{Tree: &trillian.Tree{
		TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_PREORDERED_LOG, DisplayName: "bare", MaxRootDuration: durationpb.New(0)}})
	if err != nil {
		return 0, nil, err
	}
	log := trillian.NewTrillianLogClient(conn)
	if _, err := log.InitLog(ctx, &trillian.InitLogRequest{LogId: tree.TreeId}); err != nil {
		return 0, nil, err
	}
	start := time.Now()
	for at := 0; at < len(leaves); at += batch {
		begun, end := time.Now(), min(at+batch, len(leaves))
		list := make([]*trillian.LogLeaf, 0, batch)
		for i := at; i < end; i++ {
			list = append(list, &trillian.LogLeaf{LeafValue: leaves[i], LeafIndex: int64(i)})
		}
		r, err := log.AddSequencedLeaves(ctx, &trillian.AddSequencedLeavesRequest{LogId: tree.TreeId, Leaves: list})
		if err != nil {
			return 0, nil, err
		}
		if n := len(r.Results); n != len(list) {
			return 0, nil, fmt.Errorf("%d of %d leaves", n, len(list))
		}
		for size := uint64(0); size < uint64(end); {
			answer, err := log.GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: tree.TreeId})
			if err != nil {
				return 0, nil, err
			}
			var root types.LogRootV1
			if err := root.UnmarshalBinary(answer.SignedLogRoot.LogRoot); err != nil {
				return 0, nil, err
			}
			if size = root.TreeSize; size < uint64(end) {
				time.Sleep(2 * time.Millisecond)
			}
		}
		each = append(each, time.Since(begun))
	}
	return time.Since(start), each, nil
}
