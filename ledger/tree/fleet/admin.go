package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/docket-ledger/docket/ledger/tree"
)

// maxName is how long the name of a tree may be in Trillian's schemas.
const maxName = 20

// Init returns the tree of a name, and whether it was made: one that keeps the
// order it is given, and whose roots are stored only if there are new leaves. A
// tree of this name that was begun and not finished is finished. The error wraps
// ErrUnsafe if the one that is there is not fit for a ledger.
func Init(ctx context.Context, servers Servers, name string) (id int64, made bool, err error) {
	if name == "" || len(name) > maxName {
		return 0, false, fmt.Errorf("%w: the name of a tree has 1 to %d bytes, not %q", ErrArgument, maxName, name)
	}
	client, err := dial(servers)
	if err != nil {
		return 0, false, err
	}
	defer client.Close()
	var conn *grpc.ClientConn // to the first server that answers
	var list *trillian.ListTreesResponse
	for _, conn = range client.conns {
		if list, err = trillian.NewTrillianAdminClient(conn).ListTrees(ctx, &trillian.ListTreesRequest{}); err == nil {
			break
		}
	}
	if err != nil {
		return 0, false, unreachable("list the trees", err)
	}
	admin := trillian.NewTrillianAdminClient(conn)
	var t *trillian.Tree
	for _, other := range list.GetTree() {
		switch {
		case other.DisplayName != name:
		case t != nil:
			return 0, false, fmt.Errorf("%w: two trees are named %q: %d and %d; choose another name, or delete one with Trillian's deletetree", ErrUnsafe, name, t.TreeId, other.TreeId)
		default:
			t = other
		}
	}
	if t == nil {
		made = true
		// Not tried again: a second one would be another tree.
		if t, err = admin.CreateTree(ctx, &trillian.CreateTreeRequest{Tree: &trillian.Tree{
			TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_PREORDERED_LOG,
			DisplayName: name, Description: "the log of a docket ledger", MaxRootDuration: durationpb.New(0),
		}}); err != nil {
			return 0, false, unreachable("make a tree (run the command again: it goes on where this one ended)", err)
		}
	}
	if err := safe(t); err != nil {
		return 0, false, err
	}
	_, err = trillian.NewTrillianLogClient(conn).InitLog(ctx, &trillian.InitLogRequest{LogId: t.TreeId})
	if err != nil && status.Code(err) != codes.AlreadyExists {
		return 0, false, unreachable("begin the tree (run the command again)", err)
	}
	return t.TreeId, made, nil
}

// ErrUnsafe is returned for a tree, or servers, that a ledger must not rely on.
var ErrUnsafe = errors.New("not fit for a ledger")

// safe checks the settings of a tree.
func safe(t *trillian.Tree) error {
	switch {
	case t.GetDeleted():
		return fmt.Errorf("%w: tree %d is deleted: undelete it with Trillian's undeletetree while it is there", ErrUnsafe, t.TreeId)
	case t.GetTreeType() != trillian.TreeType_PREORDERED_LOG:
		return fmt.Errorf("%w: tree %d is a %v and keeps no order of its own: a ledger needs a PREORDERED_LOG, as fleet init makes", ErrUnsafe, t.GetTreeId(), t.GetTreeType())
	case t.GetTreeState() != trillian.TreeState_ACTIVE:
		return fmt.Errorf("%w: tree %d is %v, so nothing can be appended: set it to ACTIVE with Trillian's updatetree", ErrUnsafe, t.TreeId, t.TreeState)
	case t.GetMaxRootDuration().AsDuration() != 0:
		return fmt.Errorf("%w: tree %d has a maximal root duration of %v, and a signer that saw no leaves could set the log back to an older root: make another tree with fleet init",
			ErrUnsafe, t.TreeId, t.MaxRootDuration.AsDuration())
	}
	return nil
}

// unreachable says what could not be done.
func unreachable(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", tree.ErrUnavailable, what, err)
}

// A Server is what one log server said of a tree.
type Server struct {
	Address string
	Head    tree.Head
	Took    time.Duration // to tell the root
	Err     error         // wraps ErrUnsafe or tree.ErrUnavailable
}

// Check asks each of the servers by itself about a tree, and waits for an answer
// of each for as long as limit. The list is in the order of their addresses. If two of the answers contradict each other, the
// later one has an error.
func Check(ctx context.Context, servers Servers, id int64, limit time.Duration) ([]Server, error) {
	out := make([]Server, len(servers.Addresses))
	roots := map[int64]tree.Head{}
	for i, address := range servers.Addresses {
		out[i].Address = address
		conn, err := connect(address, servers.TLS)
		if err != nil {
			return nil, err
		}
		one, cancel := context.WithTimeout(ctx, limit)
		out[i].ask(one, conn, id)
		cancel()
		conn.Close()
		if other, ok := roots[out[i].Head.Size]; ok && out[i].Err == nil && other != out[i].Head {
			out[i].Err = fmt.Errorf("%w: at size %d it tells another root than the servers before it: do they use one database?", ErrUnsafe, other.Size)
		}
		if out[i].Err == nil {
			roots[out[i].Head.Size] = out[i].Head
		}
	}
	return out, nil
}

// ask asks one server about a tree.
func (s *Server) ask(ctx context.Context, conn *grpc.ClientConn, id int64) {
	t, err := trillian.NewTrillianAdminClient(conn).GetTree(ctx, &trillian.GetTreeRequest{TreeId: id})
	switch {
	case status.Code(err) == codes.NotFound:
		s.Err = fmt.Errorf("%w: it knows no tree %d", ErrUnsafe, id)
	case err != nil:
		s.Err = unreachable("ask for the tree", err)
	default:
		s.Err = safe(t)
	}
	if s.Err != nil {
		return
	}
	start := time.Now()
	r, err := trillian.NewTrillianLogClient(conn).GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: id})
	s.Took = time.Since(start)
	if err != nil {
		s.Err = unreachable("ask for the newest root", err)
		return
	}
	root, err := parse(r.GetSignedLogRoot().GetLogRoot())
	if err != nil {
		s.Err = fmt.Errorf("%w: %w", ErrUnsafe, err)
	}
	s.Head = root.Head
}
