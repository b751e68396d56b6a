package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// How long an agent may take: to list its keys, and to sign, for which it may
// ask its owner.
const (
	agentTime = 10 * time.Second
	signTime  = 2 * time.Minute
)

// An sshAgent is a connection to the ssh-agent
// (draft-ietf-sshm-ssh-agent) that SSH_AUTH_SOCK names.
type sshAgent struct {
	conn  net.Conn
	agent agent.Agent
}

// dialAgent connects to the agent until ctx ends.
func dialAgent(ctx context.Context) (*sshAgent, error) {
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, cli.Unknown(errors.New("there is no ssh-agent: SSH_AUTH_SOCK is not set. Start one: eval $(ssh-agent), then ssh-add your key"))
	}
	dialer := net.Dialer{Timeout: agentTime}
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, cli.Unknown(fmt.Errorf("the ssh-agent at %s does not answer: %w. SSH_AUTH_SOCK may be of an agent that has ended", socket, err))
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	return &sshAgent{conn, agent.NewClient(conn)}, nil
}

func (a *sshAgent) close() { a.conn.Close() }

// An agentKey is an Ed25519 key that the agent holds. It is a crypto.Signer; the
// agent signs what it is given, as it is (RFC 8709, Section 6: the signature is
// that of RFC 8032). What SSH signs begins with four bytes of a length, a JWS
// with base64url: one is never taken for the other.
type agentKey struct {
	*sshAgent
	blob        ssh.PublicKey
	key         ed25519.PublicKey
	comment     string
	fingerprint string
	jwk         record.JWK
}

// keys returns the Ed25519 keys of the agent, and how many others it holds.
func (a *sshAgent) keys() (keys []*agentKey, others int, err error) {
	if err := a.conn.SetDeadline(time.Now().Add(agentTime)); err != nil {
		return nil, 0, err
	}
	list, err := a.agent.List()
	if err != nil {
		return nil, 0, cli.Unknown(fmt.Errorf("the ssh-agent does not list its keys: %w", err))
	}
	for _, l := range list {
		blob, err := ssh.ParsePublicKey(l.Blob)
		if err != nil || blob.Type() != ssh.KeyAlgoED25519 {
			others++ // other algorithms, certificates, keys that are in a token
			continue
		}
		holder, ok := blob.(ssh.CryptoPublicKey)
		if !ok {
			others++
			continue
		}
		key, ok := holder.CryptoPublicKey().(ed25519.PublicKey)
		if !ok {
			others++
			continue
		}
		jwk, err := record.NewJWK(key)
		if err != nil {
			return nil, 0, err
		}
		keys = append(keys, &agentKey{a, blob, key, l.Comment, ssh.FingerprintSHA256(blob), jwk})
	}
	return keys, others, nil
}

// find returns the one key that a comment, fingerprint or kid names; "" names the
// only one.
func (a *sshAgent) find(name string) (*agentKey, error) {
	keys, others, err := a.keys()
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, noAgentKey(others)
	}
	var found []*agentKey
	for _, k := range keys {
		if name == "" || name == k.comment || name == k.fingerprint || name == k.jwk.KID() {
			found = append(found, k)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0:
		return nil, fmt.Errorf("the ssh-agent holds no Ed25519 key %q; it holds\n%s", name, listed(keys))
	case name == "":
		return nil, cli.Usage(fmt.Errorf("the ssh-agent holds %d Ed25519 keys: say which with --agent KEY\n%s", len(found), listed(found)))
	}
	return nil, cli.Usage(fmt.Errorf("the ssh-agent holds %d keys %q: name the fingerprint\n%s", len(found), name, listed(found)))
}

// noAgentKey says what may be the reason. An agent that is locked says that it
// has no keys.
func noAgentKey(others int) error {
	if others > 0 {
		return fmt.Errorf("the ssh-agent holds no Ed25519 key, only %d of other kinds (RSA, ECDSA, certificates or keys in a token): make one with ssh-keygen -t ed25519, then ssh-add it", others)
	}
	return errors.New("the ssh-agent shows no keys: if it is locked, unlock it with ssh-add -X; else add an Ed25519 key with ssh-add")
}

func listed(keys []*agentKey) string {
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "  %s %s (kid %s)\n", k.fingerprint, telling.Plain(k.comment), k.jwk.KID())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Public implements crypto.Signer.
func (k *agentKey) Public() crypto.PublicKey { return k.key }

// Sign implements crypto.Signer. It checks what the agent made.
func (k *agentKey) Sign(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != 0 {
		return nil, errors.New("an Ed25519 key signs messages, not hashes")
	}
	if err := k.conn.SetDeadline(time.Now().Add(signTime)); err != nil {
		return nil, err
	}
	sig, err := k.agent.Sign(k.blob, message)
	if err != nil {
		return nil, fmt.Errorf("the ssh-agent did not sign with %s: %w. It may be locked (ssh-add -X), or the key is gone or was not confirmed", k.fingerprint, err)
	}
	if sig.Format != ssh.KeyAlgoED25519 || !ed25519.Verify(k.key, message, sig.Blob) {
		return nil, fmt.Errorf("the ssh-agent made a signature that does not hold under %s", k.fingerprint)
	}
	return sig.Blob, nil
}

// openAgentKey returns a key of the agent; "" names the only one.
func openAgentKey(ctx context.Context, name string) (*identity, error) {
	a, err := dialAgent(ctx)
	if err != nil {
		return nil, err
	}
	key, err := a.find(name)
	if err != nil {
		a.close()
		return nil, err
	}
	memory, err := configFile("keys", key.jwk.KID()+client.MemoryEnding)
	if err != nil {
		a.close()
		return nil, err
	}
	flags := "--agent"
	if name != "" {
		flags += "=" + quoted(name)
	}
	called := key.fingerprint + " in the ssh-agent"
	if key.comment != "" {
		called = fmt.Sprintf("%q in the ssh-agent", telling.Plain(key.comment))
	}
	return &identity{Signer: key, jwk: key.jwk, name: called, flags: flags, memoryFile: memory, close: a.close}, nil
}
