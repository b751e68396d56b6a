package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/cmd/internal/pkcs11key"
	"github.com/docket-ledger/docket/verify/record"
)

// keyFlags say which keys are made.
type keyFlags struct {
	data, origin, token string
	pq, next, json      bool
}

// key makes the keys of a new ledger, or more of them for one that is there.
func key(_ context.Context, args []string, std cli.Streams) error {
	var k keyFlags
	flags := cli.Flags("docketd key")
	flags.StringVar(&k.data, "data", "", "data `directory`, made if it is not there; required")
	flags.StringVar(&k.origin, "origin", "", "the ledger's `name`, a URL without scheme; required for a new ledger")
	flags.BoolVar(&k.pq, "pq", false, "make an ML-DSA-44 key, too; without --origin for the ledger that is there")
	flags.BoolVar(&k.next, "next", false, "make the key that will follow the log key of the ledger that is there")
	flags.StringVar(&k.token, "pkcs11", "", "the log key is in a token, made there if need be: `URI` like pkcs11:token=LABEL;object=LABEL?module-path=FILE&pin-source=FILE")
	flags.BoolVar(&k.json, "json", false, "print the keys as JSON")
	if err := flags.ParseArgs(args, 0, 0, "", "docketd key --data /var/lib/docket --origin ledger.example.com/2026\n"+
		"  docketd key --data /var/lib/docket --next"); err != nil {
		return err
	}
	if err := flags.Require("data"); err != nil {
		return err
	}
	if err := k.check(); err != nil {
		return err
	}
	made, err := k.make()
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s holds keys already; they are never overwritten: %w", k.data, err)
	}
	if err != nil {
		return cli.Unknown(err)
	}
	if err := k.print(made, std); err != nil {
		return err
	}
	k.advise(made, std)
	return nil
}

func (k keyFlags) check() error {
	if k.token != "" {
		if _, err := pkcs11key.ParseURI(k.token); err != nil {
			return cli.Usage(fmt.Errorf("--pkcs11: %w", err))
		}
	}
	more := k.next || k.pq && k.origin == ""
	switch {
	case more && k.origin != "":
		return cli.Usage(errors.New("--origin is for a new ledger: this one has its name"))
	case !more && k.origin == "":
		return cli.Usage(errors.New("--origin is missing, the name of the new ledger"))
	case !more && !record.ValidOrigin(k.origin):
		return cli.Usage(fmt.Errorf("--origin %q: want a host name and a path, without https:// and final slash, like ledger.example.com/2026", k.origin))
	case more && !k.next && k.token != "":
		return cli.Usage(errors.New("--pkcs11 is for the log key of Ed25519, not for one of ML-DSA-44"))
	}
	return nil
}

func (k keyFlags) make() (datadir.Keys, error) {
	opt := datadir.KeyOptions{PQ: k.pq, Token: k.token}
	switch {
	case k.next:
		return datadir.CreateNext(k.data, opt)
	case k.origin == "":
		return datadir.CreatePQ(k.data)
	}
	return datadir.CreateKeys(k.data, k.origin, opt)
}

func (k keyFlags) print(made datadir.Keys, std cli.Streams) error {
	machine, err := publicJWK(made.Machine)
	if err != nil {
		return err
	}
	if k.json {
		pq := ""
		if made.PQ != "" {
			pq = fmt.Sprintf(",\"pq\":%q", made.PQ)
		}
		_, err = fmt.Fprintf(std.Out, "{\"vkey\":%q%s%s}\n", made.VKey, pq, prefixed(",\"machine\":", machine))
		return err
	}
	fmt.Fprintf(std.Out, "vkey     %s\n%s%s", made.VKey, prefixed("pq       ", made.PQ+"\n"), prefixed("machine  ", machine+"\n"))
	return nil
}

// prefixed is s behind a prefix, if s says anything.
func prefixed(prefix, s string) string {
	if strings.TrimSpace(s) == "" {
		return ""
	}
	return prefix + s
}

// publicJWK spells a public key, "" if there is none.
func publicJWK(key crypto.PublicKey) (string, error) {
	if key == nil {
		return "", nil
	}
	jwk, err := record.NewJWK(key)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(jwk)
	return string(b), err
}

// advise says what comes next.
func (k keyFlags) advise(made datadir.Keys, std cli.Streams) {
	dir := strings.TrimSuffix(k.data, "/")
	logKeys := fmt.Sprintf("--log-key '%s'", made.VKey)
	if made.PQ != "" {
		logKeys += fmt.Sprintf(" --log-key '%s'", made.PQ)
	}
	switch {
	case k.next:
		fmt.Fprintf(std.Err, "docketd: the private key is in %s/keys, as next.key: keep a copy in a safe.\n", dir)
		fmt.Fprintf(std.Err, "docketd: next: docket charter amend, with this key in log_keys beside those that are there; then docketd key succeed --data %s\n", dir)
	case k.origin == "":
		fmt.Fprintf(std.Err, "docketd: the private key is %s/keys/log-pq.key: keep a copy in a safe.\n", dir)
		fmt.Fprintf(std.Err, "docketd: next: docket charter amend, with the pq key in log_keys beside the others; then docketd serve --pq\n")
	default:
		fmt.Fprintf(std.Err, "docketd: the private keys are in %s/keys: keep a copy of log.key in a safe.\n", dir)
		fmt.Fprintf(std.Err, "docketd: next: docket charter new --ledger %s %s …\n", k.origin, logKeys)
	}
}

// succeedKey hands the log over to its next key.
func succeedKey(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docketd key succeed")
	data := flags.String("data", "", "data `directory`, which nobody serves; required")
	guard := flags.String("guard", "", "guard `file` (default guard in the data directory)")
	lost := flags.Bool("lost", false, "the old private key is gone: only the next key signs")
	file := flags.String("amendment", "", "with --lost, a `file` with a signed charter.amend that names the next key, if the log has none yet")
	if err := flags.ParseArgs(args, 0, 0, "", "docketd key succeed --data /var/lib/docket"); err != nil {
		return err
	}
	if err := flags.Require("data"); err != nil {
		return err
	}
	if *file != "" && !*lost {
		return cli.Usage(errors.New("--amendment is for --lost: a ledger that has its key takes amendments while it is served (docket submit)"))
	}
	how := datadir.Succession{Lost: *lost}
	if *file != "" {
		var err error
		if how.Amendment, err = os.ReadFile(*file); err != nil {
			return cli.Unknown(err)
		}
	}
	h, err := datadir.Succeed(ctx, *data, datadir.Options{Guard: *guard}, how)
	if err != nil {
		return explain("the amendment", err)
	}
	fmt.Fprintf(std.Out, "%s", h.Checkpoint)
	fmt.Fprintf(std.Err, "docketd: from now on this key signs: %s\n", h.New)
	if *lost {
		fmt.Fprintln(std.Err, "docketd: no checkpoint is signed by both keys. Publish the one above and tell every witness and everybody who has a trust policy.")
	} else {
		fmt.Fprintln(std.Err, "docketd: the checkpoint above is signed by both keys. Publish it with the new trust policy, and give witnesses the new key.")
	}
	if h.Retired != "" {
		fmt.Fprintf(std.Err, "docketd: the old private key is %s: destroy it and its copies once the new key has signed a record.\n", h.Retired)
	}
	fmt.Fprintf(std.Err, "docketd: next: docketd serve --data %s, then docket charter amend without the old key: %s\n", strings.TrimSuffix(*data, "/"), h.Old)
	return nil
}
