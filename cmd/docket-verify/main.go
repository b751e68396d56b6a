// Docket-verify is the auditor's program: it proves, without trusting the
// operator of a ledger, what a receipt says and what a log holds. It links
// nothing of the server.
package main

import (
	"fmt"
	"os"
	"strings"

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
		{Name: "stats", Short: "audits a log and counts what it says of how decisions are taken", Run: countLog},
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
