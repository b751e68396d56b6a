package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"

	"github.com/go-json-experiment/json"
	"golang.org/x/term"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify/record"
)

func keyNew(_ context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket key new")
	out := flags.String("out", "", "write the private key to this new `file`, required")
	alg := flags.String("alg", keyfile.EdDSA, "`algorithm`: EdDSA (Ed25519) or ES256 (P-256)")
	passphraseFile := flags.String("passphrase-file", "", "encrypt the key with the first line of this `file`")
	asJSON := flags.Bool("json", false, "print kid and public key as JSON")
	if err := flags.ParseArgs(args, 0, 0, "", "docket key new --out my.jwk"); err != nil {
		return err
	}
	if err := flags.Require("out"); err != nil {
		return err
	}
	var passphrase []byte
	if *passphraseFile != "" {
		var err error
		if passphrase, err = keyfile.ReadPassphrase(*passphraseFile); err != nil {
			return err
		}
	}
	key, err := keyfile.New(*alg)
	if err != nil {
		return cli.Usage(err)
	}
	if err := keyfile.Write(*out, key, passphrase); err != nil {
		return err
	}
	fmt.Fprintf(std.Err, "docket: wrote the private key to %s: keep it to yourself, and a copy in a safe\n", *out)
	return printKey(key, *asJSON, false, std)
}

func keyShow(_ context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket key show")
	passphraseFile := flags.String("passphrase-file", "", "`file` with the passphrase of the key")
	asJSON := flags.Bool("json", false, "print kid and public key as JSON")
	onlyJWK := flags.Bool("jwk", false, "print the public JWK alone, for those who enrol the key")
	if err := flags.ParseArgs(args, 1, 1, "KEYFILE", "docket key show my.jwk --jwk > my.pub.jwk"); err != nil {
		return err
	}
	key, err := keyfile.Read(flags.Arg(0), passphrase(*passphraseFile, std))
	if err != nil {
		return err
	}
	return printKey(key, *asJSON, *onlyJWK, std)
}

func printKey(key crypto.Signer, asJSON, onlyJWK bool, std cli.Streams) error {
	jwk, err := record.NewJWK(key.Public())
	if err != nil {
		return err
	}
	public, err := json.Marshal(jwk)
	if err != nil {
		return err
	}
	switch {
	case onlyJWK:
		_, err = fmt.Fprintf(std.Out, "%s\n", public)
	case asJSON:
		_, err = fmt.Fprintf(std.Out, "{\"kid\":%q,\"jwk\":%s}\n", jwk.KID(), public)
	default:
		_, err = fmt.Fprintf(std.Out, "kid %s\njwk %s\n", jwk.KID(), public)
	}
	return err
}

// passphrase returns what asks for the passphrase of a key: from a file if one
// is named, else at the terminal.
func passphrase(file string, std cli.Streams) func() ([]byte, error) {
	return func() ([]byte, error) {
		if file != "" {
			return keyfile.ReadPassphrase(file)
		}
		in, ok := std.In.(*os.File)
		if !ok || !term.IsTerminal(int(in.Fd())) {
			return nil, cli.Usage(errors.New("the key is encrypted and there is no terminal to ask at: --passphrase-file is missing"))
		}
		fmt.Fprint(std.Err, "Passphrase: ")
		secret, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(std.Err)
		return secret, err
	}
}

func keyEnrol(_ context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket key enrol")
	ledger := originFlag(flags)
	holder := flags.String("holder", "", "`pseudonym` of whoever holds the key, required")
	public := flags.String("key", "", "`file` with the public JWK (docket key show --jwk), required")
	var roles []record.Role
	flags.Func("role", "what the key may sign as; may be `ROLE+ROLE`, required", func(s string) error {
		var err error
		roles, err = parseRoles(s)
		return err
	})
	until := flags.String("valid-until", "", "`time` at which the key ends, like 2027-11-23T08:00:00Z")
	out := outFlag(flags)
	if err := flags.ParseArgs(args, 0, 0, "", "docket key enrol --ledger ledger.example.com/2026 --holder dora --role decider --key dora.pub.jwk --out dora.draft"); err != nil {
		return err
	}
	if err := flags.Require("ledger", "holder", "key", "out"); err != nil {
		return err
	}
	jwk, err := keyfile.ReadPublic(*public)
	if err != nil {
		return err
	}
	p := &record.KeyEnrol{Common: record.Common{Ledger: *ledger}, Holder: *holder, JWK: jwk, Roles: roles}
	if p.ValidUntil, err = optionalTime("valid-until", *until); err != nil {
		return err
	}
	return writeDraft(p, *out, "the registrars, and the new key itself", std)
}

func keyRevoke(_ context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket key revoke")
	ledger := originFlag(flags)
	kid := flags.String("kid", "", "`kid` of the key, required")
	reason := flags.String("reason", "", "`reason`: retired, lost or compromised, required")
	since := flags.String("since", "", "`time` since when a compromised key may have been in other hands")
	out := outFlag(flags)
	if err := flags.ParseArgs(args, 0, 0, "", "docket key revoke --ledger ledger.example.com/2026 --kid KID --reason lost --out revoke.draft"); err != nil {
		return err
	}
	if err := flags.Require("ledger", "kid", "reason", "out"); err != nil {
		return err
	}
	p := &record.KeyRevoke{Common: record.Common{Ledger: *ledger}, KID: *kid, Reason: *reason}
	var err error
	if p.Since, err = optionalTime("since", *since); err != nil {
		return err
	}
	return writeDraft(p, *out, "the registrars, or the key itself; one registrar if it is compromised", std)
}
