package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/google/trillian"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const (
	maxLeaf   = 65_535          // bytes, as tlog-tiles allows
	maxLeaves = 1000            // in an answer
	maxAnswer = 80 << 20        // bytes, more than maxLeaves of maxLeaf with their hashes
	maxWrite  = 3 << 20         // bytes of leaves in a request: servers take 4 MiB unless told otherwise
	reconnect = 2 * time.Second // at most, between attempts to reach a server
)

// ErrArgument is returned for addresses and names that can't be. Nobody was asked.
var ErrArgument = errors.New("wrong argument")

// A client asks one server at a time, and another from the moment that one does
// not answer: neither one that is gone nor one that hangs is asked for long. All
// methods may be used concurrently.
type client struct {
	conns []*grpc.ClientConn
	at    atomic.Int64 // which is asked, modulo their number
}

// dial returns a client of all servers. It waits for none of them; a name is
// resolved whenever its server is dialled. Which is asked first is left to chance,
// so that the processes of a fleet spread.
func dial(servers Servers) (*client, error) {
	if len(servers.Addresses) == 0 {
		return nil, fmt.Errorf("%w: no address of a log server: write HOST:PORT, or several with commas between", ErrArgument)
	}
	c := &client{}
	for _, address := range servers.Addresses {
		conn, err := connect(address, servers.TLS)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.conns = append(c.conns, conn)
	}
	c.at.Store(rand.Int64N(int64(len(c.conns))))
	return c, nil
}

// connect returns a connection to a server.
func connect(address string, with *tls.Config) (*grpc.ClientConn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("%w: %q is no address of a log server: write HOST:PORT", ErrArgument, address)
	}
	secure := insecure.NewCredentials()
	if with != nil {
		secure = credentials.NewTLS(with)
	} else if !loopback(host) {
		return nil, fmt.Errorf("%w: %s is not on this machine, and a log server elsewhere is spoken to over TLS only", ErrArgument, address)
	}
	return grpc.NewClient("dns:///"+address,
		grpc.WithTransportCredentials(secure),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		grpc.WithNoProxy(),      // whatever the environment names
		grpc.WithDisableRetry(), // this package knows what may be repeated
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: reconnect},
			MinConnectTimeout: reconnect,
		}),
	)
}

// do makes a call of the server whose turn it is. One that does not answer within
// limit, or can't, is not asked next.
func (c *client) do(ctx context.Context, limit time.Duration, call func(context.Context, *grpc.ClientConn) error) error {
	at := c.at.Load()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := call(ctx, c.conns[at%int64(len(c.conns))])
	if err != nil && !refused(err) {
		c.at.CompareAndSwap(at, at+1)
	}
	return err
}

// Close closes all connections.
func (c *client) Close() error {
	var all []error
	for _, conn := range c.conns {
		all = append(all, conn.Close())
	}
	return errors.Join(all...)
}

// loopback reports whether a host is this machine, by its name alone.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// refused reports whether a server answered that it won't do a call, whoever
// asks again: nothing was done.
func refused(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.PermissionDenied, codes.FailedPrecondition, codes.Unauthenticated,
		codes.Unimplemented, codes.OutOfRange, codes.ResourceExhausted:
		return true
	}
	return false
}

// pause waits before try number n (from 0 on) is repeated, 10 ms at first, up to
// a second, or until ctx ends.
func pause(ctx context.Context, n int) error {
	wait := min(time.Second, 10*time.Millisecond<<min(n, 7))
	wait = wait/2 + rand.N(wait/2)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// read makes a call that changes nothing, of each server if need be. The error
// wraps tree.ErrUnavailable, or ctx ended.
func read[T any](ctx context.Context, l *Log, what string, limit time.Duration, call func(context.Context, trillian.TrillianLogClient) (T, error)) (out T, err error) {
	for try := 0; ; try++ {
		err = l.client.do(ctx, limit, func(ctx context.Context, conn *grpc.ClientConn) error {
			out, err = call(ctx, trillian.NewTrillianLogClient(conn))
			return err
		})
		if err == nil {
			return out, nil
		}
		if over := ended(ctx); over != nil {
			return out, over
		}
		if try == len(l.client.conns) || refused(err) {
			return out, unreachable(what, err)
		}
		if over := pause(ctx, try); over != nil {
			return out, over
		}
	}
}

// ended is the error of a context that is over, also of one whose deadline a
// server saw pass before its timer here.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ctx.Err() == nil && ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
