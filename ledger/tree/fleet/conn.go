package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/docket-ledger/docket/ledger/tree"
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

// dial returns a connection to all servers, which are asked in turn. It does not
// wait for any; a name is resolved whenever its server is dialled.
func dial(servers Servers) (*grpc.ClientConn, error) {
	if len(servers.Addresses) == 0 {
		return nil, fmt.Errorf("%w: no address of a log server: write HOST:PORT, or several with commas between", ErrArgument)
	}
	list := make([]resolver.Address, len(servers.Addresses))
	for i, address := range servers.Addresses {
		host, port, err := net.SplitHostPort(address)
		if err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("%w: %q is no address of a log server: write HOST:PORT", ErrArgument, address)
		}
		if servers.TLS == nil && !loopback(host) {
			return nil, fmt.Errorf("%w: %s is not on this machine, and a log server elsewhere is spoken to over TLS only", ErrArgument, address)
		}
		list[i] = resolver.Address{Addr: address, ServerName: host}
	}
	secure := insecure.NewCredentials()
	if servers.TLS != nil {
		secure = credentials.NewTLS(servers.TLS)
	}
	names := manual.NewBuilderWithScheme("fleet")
	names.InitialState(resolver.State{Addresses: list})
	return grpc.NewClient(names.Scheme()+":///trillian",
		grpc.WithResolvers(names),
		grpc.WithTransportCredentials(secure),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		grpc.WithDisableRetry(), // this package knows what may be repeated
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: reconnect},
			MinConnectTimeout: reconnect,
		}),
	)
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

// read makes a call that changes nothing, again with another server if one
// fails, for as long as one call may take. The error wraps tree.ErrUnavailable,
// or ctx ended.
func read[T any](ctx context.Context, l *Log, what string, call func(ctx context.Context) (T, error)) (T, error) {
	limit, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	for try := 0; ; try++ {
		one, stop := context.WithTimeout(limit, max(l.cfg.Timeout/2, time.Millisecond))
		out, err := call(one)
		stop()
		if err == nil {
			return out, nil
		}
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		if refused(err) || pause(limit, try) != nil {
			return out, fmt.Errorf("%w: %s: %w", tree.ErrUnavailable, what, err)
		}
	}
}
