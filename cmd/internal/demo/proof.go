package demo

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/mirror"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// prove writes receipts and mirror, and checks both.
func (t *teller) prove() error {
	if err := t.witness(); err != nil {
		return err
	}
	var err error
	if t.policy, err = verify.ParsePolicy(t.trustPolicy()); err != nil {
		return err
	}
	demanding, err := verify.ParsePolicy(t.witnessedPolicy(noWhere))
	if err != nil {
		return err
	}
	for file, text := range map[string][]byte{"trust.policy": t.trustPolicy(), "witnessed.policy": t.witnessedPolicy(noWhere),
		"log.vkey": []byte(t.vkey + "\n"), "decision.yaml": exampleSheet(time.Now().Unix(), t.rules)} {
		if err := os.WriteFile(t.path(file), text, 0o644); err != nil {
			return err
		}
	}
	n, dated, err := t.proveReceipts()
	if err != nil {
		return err
	}
	for _, copied := range []string{"mirror", "altered"} {
		if _, err := mirror.Sync(t.ctx, mirror.Config{Source: t.ledger, Policies: []*verify.Policy{demanding}, Dir: t.path(copied)}); err != nil {
			return err
		}
	}
	sum, found, err := audit(t.ctx, t.path("mirror"), demanding)
	if err != nil {
		return err
	}
	if sum.Broken > 0 || sum.Entries != int64(len(t.logged)) || !sum.Witnessed {
		return fmt.Errorf("the audit of the mirror found %v", found)
	}
	t.say("")
	t.say("3. PROOFS")
	t.say("   receipts  %d, one for each effective record. All hold, offline, with nothing but the log's public key.", n)
	t.say("   witnessed The same, cosigned. Who trusts %d of the %d witnesses sees the times of the %d decisions proven.",
		witnessQuorum, len(t.witnesses), dated)
	t.say("   mirror    A copy of the whole log. Audited from the first byte to the last: %d records,", sum.Entries)
	t.say("             %d effective, %d void, every signature and every hash as it should be.", sum.Effective, sum.Void)
	return nil
}

// witness logs the second timemark, and lets the witnesses cosign the whole log.
func (t *teller) witness() error {
	if _, err := t.timemark("timemark-decisions"); err != nil {
		return err
	}
	note, err := t.cosigned()
	if err != nil {
		return err
	}
	return t.ledger.Cosigned(t.ctx, note)
}

// proveReceipts writes the receipts and checks them. It returns how many there are
// of effective records, and how many of these are decisions, which all have proven
// times.
func (t *teller) proveReceipts() (n, decisions int, err error) {
	if err := t.receipts(); err != nil {
		return 0, 0, err
	}
	if _, err := t.checkReceipts("void", "trust.policy", false); err != nil {
		return 0, 0, err
	}
	plain, err := t.checkReceipts("receipts", "trust.policy", true)
	if err != nil {
		return 0, 0, err
	}
	witnessed, err := t.checkReceipts("witnessed", "witnessed.policy", true)
	if err != nil {
		return 0, 0, err
	}
	if len(witnessed) != len(plain) {
		return 0, 0, fmt.Errorf("%d receipts, and %d with witnesses", len(plain), len(witnessed))
	}
	for _, p := range witnessed {
		_, decision := p.Record.Payload().(*record.Decision)
		if !p.Times.NotAfter.Proven || decision && !p.Times.NotBefore.Proven {
			return 0, 0, fmt.Errorf("the times of entry %d are not proven: %+v", p.Index, p.Times)
		}
		if decision {
			decisions++
		}
	}
	return len(plain), decisions, nil
}

// attack alters a decision in a copy, and forges another.
func (t *teller) attack() error {
	victim := t.named(emergencyName)
	if err := alter(t.path("altered"), int64(len(t.logged)), victim.Index); err != nil {
		return err
	}
	sum, found, err := audit(t.ctx, t.path("altered"), t.policy)
	if err != nil {
		return err
	}
	bad := slices.IndexFunc(found, func(f verify.Finding) bool { return f.Severity == verify.Broken })
	if sum.Broken != 1 || found[bad].Index != victim.Index {
		return fmt.Errorf("the audit of the altered copy found %v, want entry %d", found, victim.Index)
	}
	verdict, _, _ := strings.Cut(found[bad].Detail, ":") // the rest is hashes
	entry, err := t.ledger.Record(t.ctx, victim.ID)
	if err != nil {
		return err
	}
	forged, err := forge(entry.Record, `"action":"restrict"`, `"action":"terminate"`)
	if err != nil {
		return err
	}
	if err := t.refused(forged, record.SignatureInvalid); err != nil {
		return fmt.Errorf("forged record: %w", err)
	}
	t.say("")
	t.say("4. TWO FORGERIES")
	t.say("   altered   Another copy of the log, with one byte of entry %d changed. The audit says:", victim.Index)
	t.say("      %s", verdict)
	t.say("   forged    \"restrict\" becomes \"terminate\" in a signed decision, which is sent again. The ledger says:")
	t.reasons(record.SignatureInvalid)
	return nil
}
