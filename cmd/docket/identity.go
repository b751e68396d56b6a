package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify/record"
)

// An identity is the key that somebody signs with, wherever it is.
type identity struct {
	crypto.Signer
	jwk record.JWK
	// name is what its owner calls it: its file, or the agent and the
	// comment there.
	name string
	// flags name it on a command line: --key my.jwk.
	flags string
	// memoryFile is where its numbers and its ledgers are remembered.
	memoryFile string
	// close lets go of it.
	close func()
}

func (k *identity) memory() (*client.Memory, error) {
	return client.OpenMemory(k.memoryFile, k.jwk.KID())
}

// keyFlags are the flags that name the key of whoever runs a command.
type keyFlags struct {
	file, passphraseFile string
	agent                agentFlag
}

// agentFlag is --agent, with or without the key.
type agentFlag struct {
	given bool
	key   string // "" if not said
}

// String, Set and IsBoolFlag implement flag.Value.
func (a *agentFlag) String() string { return a.key }

func (a *agentFlag) Set(s string) error {
	a.given = true
	if s != "true" { // what package flag says of a flag without value
		a.key = s
	}
	return nil
}

func (a *agentFlag) IsBoolFlag() bool { return true }

func addKeyFlags(flags *cli.FlagSet) *keyFlags {
	k := &keyFlags{}
	flags.StringVar(&k.file, "key", "", "`file` of your key")
	flags.StringVar(&k.passphraseFile, "passphrase-file", "", "`file` with the passphrase of the key, in its first line; without it you are asked")
	flags.Var(&k.agent, "agent", "use a key of the ssh-agent instead of --key; `[key]` is its comment, SHA256 fingerprint or kid, needed if the agent holds several")
	return k
}

// parse is flags.ParseArgs, and takes the word after --agent for its key where
// there would be one argument too many without that.
func (k *keyFlags) parse(flags *cli.FlagSet, args []string, minArgs, maxArgs int, what, example string) ([]string, error) {
	more := maxArgs
	at := slices.IndexFunc(args, isAgentFlag)
	if at >= 0 && at+1 < len(args) && !strings.HasPrefix(args[at+1], "-") {
		more++
	}
	if err := flags.ParseArgs(args, minArgs, more, what, example); err != nil {
		return nil, err
	}
	rest := slices.Clone(flags.Args())
	if len(rest) > maxArgs {
		k.agent.key = args[at+1]
		i := slices.Index(rest, args[at+1])
		rest = slices.Delete(rest, i, i+1)
	}
	switch {
	case k.agent.given && k.file != "":
		return nil, cli.Usage(errors.New("--key and --agent exclude each other: a key is in a file or in the agent"))
	case k.agent.given && k.passphraseFile != "":
		return nil, cli.Usage(errors.New("--passphrase-file is for --key: the agent has its keys open"))
	}
	return rest, nil
}

func isAgentFlag(s string) bool { return s == "--agent" || s == "-agent" }

// given reports whether a key was named.
func (k *keyFlags) given() bool { return k.agent.given || k.file != "" }

// open returns the key that the flags name; it is the caller's to close.
func (k *keyFlags) open(ctx context.Context, std cli.Streams) (*identity, error) {
	if !k.given() {
		return nil, cli.Usage(errors.New("--key is missing, or --agent"))
	}
	if k.agent.given {
		return openAgentKey(ctx, k.agent.key)
	}
	return openKeyFile(ctx, k.file, k.passphraseFile, std)
}

func openKeyFile(ctx context.Context, file, passphraseFile string, std cli.Streams) (*identity, error) {
	key, err := keyfile.Read(file, passphrase(ctx, file, passphraseFile, std))
	if err != nil {
		return nil, err
	}
	jwk, err := record.NewJWK(key.Public())
	if err != nil {
		return nil, err
	}
	flags := "--key " + quoted(file)
	if passphraseFile != "" {
		flags += " --passphrase-file " + quoted(passphraseFile)
	}
	return &identity{Signer: key, jwk: jwk, name: file, flags: flags, memoryFile: file + client.MemoryEnding, close: func() {}}, nil
}

// passphrase returns what asks for the passphrase of a key: from a file if one
// is named, else at the terminal.
func passphrase(ctx context.Context, keyFile, file string, std cli.Streams) func() ([]byte, error) {
	return func() ([]byte, error) {
		if file != "" {
			return keyfile.ReadPassphrase(file)
		}
		in := keyboard(std)
		if in == nil {
			return nil, cli.Usage(errors.New("the key is encrypted and there is no terminal to ask at: --passphrase-file is missing"))
		}
		return askSecret(ctx, in, "Passphrase of "+keyFile+": ", std)
	}
}

// configFile returns the path of a file in the user's configuration directory.
func configFile(name ...string) (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", cli.Unknown(fmt.Errorf("there is no place to remember numbers of keys in the agent: %w", err))
	}
	return filepath.Join(append([]string{dir, "docket"}, name...)...), nil
}

// quoted returns s as a shell reads it back.
func quoted(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
