package main

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

func keyNew(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket key new")
	out := flags.String("out", "", "write the private key to this new `file`, required")
	alg := flags.String("alg", keyfile.EdDSA, "`algorithm`: EdDSA (Ed25519) or ES256 (P-256)")
	passphraseFile := flags.String("passphrase-file", "", "encrypt the key with the first line of this `file`; without it you are asked for a passphrase")
	noPassphrase := flags.Bool("no-passphrase", false, "write the key as it is: whoever gets the file can sign as you")
	asJSON := flags.Bool("json", false, "print kid and public key as JSON")
	if err := flags.ParseArgs(args, 0, 0, "", "docket key new --out my.jwk"); err != nil {
		return err
	}
	if err := flags.Require("out"); err != nil {
		return err
	}
	if *noPassphrase && *passphraseFile != "" {
		return cli.Usage(errors.New("--passphrase-file and --no-passphrase exclude each other"))
	}
	if _, err := os.Lstat(*out); err == nil { // before anything is typed
		return fmt.Errorf("%s exists, and keys are never overwritten: name another file", *out)
	}
	key, err := keyfile.New(*alg)
	if err != nil {
		return cli.Usage(err)
	}
	secret, err := newPassphrase(ctx, *passphraseFile, *noPassphrase, std)
	if err != nil {
		return err
	}
	if err := keyfile.Write(*out, key, secret); err != nil {
		return err
	}
	fmt.Fprintf(std.Err, "docket: wrote the private key to %s: keep it to yourself, and a copy in a safe\n", *out)
	return printKeys(std, true, *asJSON, false, newShownKey(key))
}

// newPassphrase returns what encrypts a new key, nil for nothing.
func newPassphrase(ctx context.Context, file string, none bool, std cli.Streams) ([]byte, error) {
	switch {
	case none:
		return nil, nil
	case file != "":
		return keyfile.ReadPassphrase(file)
	}
	in := keyboard(std)
	if in == nil {
		return nil, cli.Usage(errors.New("there is no terminal to ask for a passphrase at: --passphrase-file is missing, or --no-passphrase to write the key as it is"))
	}
	first, err := askSecret(ctx, in, "New passphrase: ", std)
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		return nil, errors.New("the passphrase is empty, and no key was made: --no-passphrase if you want none")
	}
	second, err := askSecret(ctx, in, "The same again: ", std)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, second) {
		return nil, errors.New("these were two different passphrases, and no key was made: try again")
	}
	return first, nil
}

func keyShow(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket key show")
	keys := addKeyFlags(flags)
	url := flags.String("ledger", "", "`URL` of a ledger: say also what it knows of the key")
	asJSON := flags.Bool("json", false, "print kid and public key as JSON")
	onlyJWK := flags.Bool("jwk", false, "print the public JWK alone, for those who enrol the key")
	most := 1
	if slices.ContainsFunc(args, isAgentFlag) {
		most = 0 // the word after it is a key
	}
	args, err := keys.parse(flags, args, 0, most, "[KEYFILE | KID]",
		"docket key show my.jwk --jwk > my.pub.jwk\n  docket key show --agent\n  docket key show my.jwk --ledger https://ledger.example.com")
	if err != nil {
		return err
	}
	if len(args) == 1 && keys.given() {
		return cli.Usage(fmt.Errorf("unexpected argument %q beside --key or --agent", args[0]))
	}
	if len(args) == 1 && *url != "" && isKID(args[0]) {
		return showEnrolled(ctx, args[0], *url, *asJSON, std)
	}
	if len(args) == 1 {
		keys.file = args[0]
	}
	var shown []shownKey
	switch {
	case keys.agent.given && keys.agent.key == "":
		if shown, err = allAgentKeys(ctx); err != nil {
			return err
		}
	case !keys.given():
		return cli.Usage(errors.New("KEYFILE is missing, or --agent"))
	default:
		id, err := keys.open(ctx, std)
		if err != nil {
			return err
		}
		defer id.close()
		shown = []shownKey{newShownKey(id.Signer)}
	}
	if *url != "" {
		for _, k := range shown {
			if err := showEnrolled(ctx, k.KID, *url, *asJSON, std); err != nil {
				return err
			}
		}
		return nil
	}
	return printKeys(std, len(shown) == 1, *asJSON, *onlyJWK, shown...)
}

// A shownKey is what everybody may know of a key.
type shownKey struct {
	KID string     `json:"kid"`
	JWK record.JWK `json:"jwk"`
	// Comment and Fingerprint are those of a key in the agent.
	Comment     string `json:"comment,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

func newShownKey(key crypto.Signer) shownKey {
	jwk, err := record.NewJWK(key.Public())
	if err != nil {
		panic(err) // keyfile and agent have keys of these kinds only
	}
	k := shownKey{KID: jwk.KID(), JWK: jwk}
	if a, ok := key.(*agentKey); ok {
		k.Comment, k.Fingerprint = a.comment, a.fingerprint
	}
	return k
}

func allAgentKeys(ctx context.Context) ([]shownKey, error) {
	a, err := dialAgent(ctx)
	if err != nil {
		return nil, err
	}
	defer a.close()
	keys, others, err := a.keys()
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, noAgentKey(others)
	}
	var shown []shownKey
	for _, k := range keys {
		shown = append(shown, newShownKey(k))
	}
	return shown, nil
}

// printKeys prints keys: in words, as JSON, one object a line, or, of one key
// alone, the public JWK.
func printKeys(std cli.Streams, single, asJSON, onlyJWK bool, keys ...shownKey) error {
	if onlyJWK && !single {
		return cli.Usage(errors.New("--jwk is for one key: name it with --agent KEY"))
	}
	for _, k := range keys {
		public, err := json.Marshal(k.JWK)
		if err != nil {
			return err
		}
		switch {
		case onlyJWK:
			_, err = fmt.Fprintf(std.Out, "%s\n", public)
		case asJSON:
			err = printJSON(std, k)
		default:
			if k.Fingerprint != "" {
				fmt.Fprintf(std.Out, "key %s %s\n", k.Fingerprint, telling.Plain(k.Comment))
			}
			_, err = fmt.Fprintf(std.Out, "kid %s\njwk %s\n", k.KID, public)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func printJSON(std cli.Streams, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "%s\n", b)
	return err
}

// isKID reports whether s has the form of a thumbprint.
func isKID(s string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == 32
}

// showEnrolled prints what a ledger says of a key.
func showEnrolled(ctx context.Context, kid, url string, asJSON bool, std cli.Streams) error {
	c, err := connect(url)
	if err != nil {
		return err
	}
	k, err := c.Key(ctx, kid)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the ledger has never enrolled the key %s: see docket key enrol", kid)
	}
	if err != nil {
		return told(err)
	}
	if asJSON {
		return printJSON(std, k)
	}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(std.Out, "%-12s %s\n", name, telling.Plain(fmt.Sprintf(format, args...)))
	}
	line("kid", "%s", k.KID)
	switch {
	case k.Recovery:
		line("holder", "none: a recovery key of the charter")
	default:
		line("holder", "%s", k.Holder)
		line("may sign as", "%s", list(k.Roles))
	}
	if k.ValidUntil != 0 {
		line("valid until", "%s", k.ValidUntil)
	}
	line("enrolled by", "entries %v", k.EnrolledAt)
	if r := k.Revoked; r != nil {
		line("revoked by", "entry %d: %s", r.Index, r.Reason)
		if r.Since != 0 {
			line("not its own", "since %s", r.Since)
		}
	}
	line("next number", "%d", k.NextSeq)
	return nil
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
	kid := flags.String("kid", "", "`kid` of the key, or its public JWK with --key")
	public := flags.String("key", "", "`file` with the public JWK, instead of --kid")
	reason := flags.String("reason", "", "`reason`: retired, lost or compromised, required")
	since := flags.String("since", "", "`time` since when a compromised key may have been in other hands")
	out := outFlag(flags)
	if err := flags.ParseArgs(args, 0, 0, "", "docket key revoke --ledger ledger.example.com/2026 --kid KID --reason lost --out revoke.draft"); err != nil {
		return err
	}
	if err := flags.Require("ledger", "reason", "out"); err != nil {
		return err
	}
	switch {
	case (*kid == "") == (*public == ""):
		return cli.Usage(errors.New("--kid is missing, or --key with its public JWK: one of them"))
	case *public != "":
		jwk, err := keyfile.ReadPublic(*public)
		if err != nil {
			return err
		}
		*kid = jwk.KID()
	}
	p := &record.KeyRevoke{Common: record.Common{Ledger: *ledger}, KID: *kid, Reason: *reason}
	var err error
	if p.Since, err = optionalTime("since", *since); err != nil {
		return err
	}
	return writeDraft(p, *out, "the registrars, or the key itself; one registrar if it is compromised", std)
}
