package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// An agentServer is an ssh-agent for a script, at a socket, that keeps its keys
// in memory.
type agentServer struct {
	agent.Agent
	lies atomic.Bool // its signatures hold for something else
}

func (a *agentServer) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	if a.lies.Load() {
		data = []byte("something else")
	}
	return a.Agent.Sign(key, data)
}

type agentKeyName struct{}

// sshAgentCmd works the ssh-agent of a script:
//
//	agent start             serves an empty one, and sets $SSH_AUTH_SOCK
//	agent add COMMENT       adds an Ed25519 key that the comment makes
//	agent take KEY COMMENT  adds the key of a file of docket
//	agent other COMMENT     adds an ECDSA key
//	agent lock, unlock, lie, empty
func sshAgentCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: agent start|add|take|other|lock|unlock|lie|empty")
	}
	if args[0] == "start" {
		startAgent(ts)
		return
	}
	a, ok := ts.Value(agentKeyName{}).(*agents)
	if !ok || a.server == nil {
		ts.Fatalf("agent start comes first")
	}
	s := a.server
	switch args[0] {
	case "add":
		seed := sha256.Sum256([]byte(args[1]))
		ts.Check(s.Add(agent.AddedKey{PrivateKey: ed25519.NewKeyFromSeed(seed[:]), Comment: args[1]}))
	case "take":
		var jwk struct{ D, X []byte }
		ts.Check(json.Unmarshal([]byte(strings.NewReplacer("-", "+", "_", "/").Replace(padded(ts.ReadFile(args[1])))), &jwk))
		ts.Check(s.Add(agent.AddedKey{PrivateKey: ed25519.NewKeyFromSeed(jwk.D), Comment: args[2]}))
	case "other":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		ts.Check(err)
		ts.Check(s.Add(agent.AddedKey{PrivateKey: key, Comment: args[1]}))
	case "lock":
		ts.Check(s.Lock([]byte("secret")))
	case "unlock":
		ts.Check(s.Unlock([]byte("secret")))
	case "lie":
		s.lies.Store(true)
	case "empty":
		ts.Check(s.RemoveAll())
	default:
		ts.Fatalf("agent %s?", args[0])
	}
}

// padded gives the 43 characters of each member of a JWK their padding.
func padded(jwk string) string {
	parts := strings.Split(jwk, `"`)
	for i, p := range parts {
		if len(p) == 43 {
			parts[i] = p + "="
		}
	}
	return strings.Join(parts, `"`)
}

// agents holds the agent of a script once it is started.
type agents struct{ server *agentServer }

func startAgent(ts *testscript.TestScript) {
	a := ts.Value(agentKeyName{}).(*agents)
	dir, err := os.MkdirTemp("", "agent") // a socket has a short path
	ts.Check(err)
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	ts.Check(err)
	a.server = &agentServer{Agent: agent.NewKeyring()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = agent.ServeAgent(a.server, conn) // ends when the other side does
			}()
		}
	}()
	ts.Defer(func() {
		l.Close()
		os.RemoveAll(dir)
	})
	ts.Setenv("SSH_AUTH_SOCK", socket)
}

// TestQuoted: what a message tells to type means what it should.
func TestQuoted(t *testing.T) {
	for s, want := range map[string]string{
		"my.jwk": "my.jwk", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "ada@example.com": "ada@example.com",
		"SHA256:a+b/c": "SHA256:a+b/c", "$(x)": "'$(x)'", "~": "'~'",
	} {
		if got := quoted(s); got != want {
			t.Errorf("quoted(%q) = %s, want %s", s, got, want)
		}
	}
}
