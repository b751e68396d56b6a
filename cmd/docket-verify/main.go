// Docket-verify is the auditor's program: it proves, without trusting the
// operator of a ledger, what a receipt says and what a log holds. It links
// nothing of the server.
package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
)

func main() { os.Exit(cli.Main(program.Name, program.Run)) }

var program = cli.Program{
	Name:    "docket-verify",
	About:   "verifies receipts and logs of a Docket ledger, offline where it can be, trusting only a trust policy.",
	Example: "docket-verify receipt --policy trust.policy decision.tlog-proof",
	Commands: []cli.Command{
		{Name: "receipt", Short: "checks receipts, and says what they prove and what not", Run: receipt},
		{Name: "audit", Short: "reads a whole log and checks every byte, signature and rule", Run: audit},
		{Name: "case", Short: "audits a log and tells one case of it, in order", Run: tellCase},
		{Name: "gate", Short: "lets an enforcement system act only on a decision that permits it", Run: gate},
		{Name: "fork", Short: "proves to anybody, from an evidence file alone, that a log contradicted itself", Run: fork},
		{Name: "diff", Short: "finds the first entry at which two copies of a log part, with proofs", Run: diff},
		{Name: "watch", Short: "looks at a log again and again, compares it with peers and witnesses, and alarms", Run: watchLog},
		{Name: "trust", Short: "explains a trust policy in words, and warns of a weak one", Run: trust},
		cli.Version("docket-verify"),
	},
}

// policies is the flag --policy, which may be repeated: one file for each epoch
// of the log's keys, the oldest first.
type policies struct{ verify.Policies }

func (p *policies) String() string { return strings.Repeat("policy ", len(p.Policies)) }

// Set implements flag.Value.
func (p *policies) Set(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	policy, err := verify.ParsePolicy(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	p.Policies = append(p.Policies, policy)
	return nil
}

func policyFlag(flags *cli.FlagSet) *policies {
	p := &policies{}
	flags.Var(p, "policy", "trust policy `file` (c2sp.org/tlog-policy), required; may be repeated, one for each epoch of the log's keys, the current one last")
	return p
}

// openSource opens a log by URL or folder.
func openSource(where string) (verify.Source, error) {
	if u, err := url.Parse(where); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		return client.New(where)
	}
	info, err := os.Stat(where)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, cli.Unknown(fmt.Errorf("%s: no such folder; a URL begins with http:// or https://", where))
	case err != nil:
		return nil, cli.Unknown(err)
	case !info.IsDir():
		zipped, err := zip.OpenReader(where)
		if err != nil {
			return nil, cli.Usage(fmt.Errorf("%s is no zip: an audit reads a URL, the folder of a mirror or a zip of one; for a receipt use docket-verify receipt", where))
		}
		return verify.DirSource(zipped), nil // closed with the process
	}
	return verify.DirSource(os.DirFS(where)), nil
}
