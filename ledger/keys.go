package ledger

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Which keys sign checkpoints says the charter in force: nothing is signed with a
// key that it does not name, and no amendment is admitted that drops the key which
// signs. So a log changes its key in three steps: an amendment that names both, one
// checkpoint signed by both (succeed.go), an amendment that drops the old one.

// ownPolicy is the trust policy of a ledger in itself: the key that signs comes
// first, then the others.
func ownPolicy(cfg Config) (*verify.Policy, error) {
	vkeys := []string{cfg.VKey}
	if cfg.PQ != nil {
		vkeys = append(vkeys, cfg.PQ.VKey().String())
	}
	var b strings.Builder
	for _, vkey := range append(vkeys, cfg.Former...) {
		b.WriteString("log " + vkey + "\n")
	}
	return verify.ParsePolicy([]byte(b.String() + "quorum none\n"))
}

// signers are who signs a checkpoint, Ed25519 first.
func (l *Ledger) signers() []note.Signer {
	if l.pq.Load() {
		return []note.Signer{l.cfg.Signer, l.cfg.PQ}
	}
	return []note.Signer{l.cfg.Signer}
}

// PQ reports whether checkpoints get the log's own ML-DSA-44 cosignature: there
// is a key for it and the charter in force names it.
func (l *Ledger) PQ() bool { return l.pq.Load() }

// signedNow reports whether all signers have signed a checkpoint, which may be by
// former keys. Its signatures were checked when it was read.
func (l *Ledger) signedNow(signed []byte) bool {
	for _, s := range l.signers() {
		vkey := l.cfg.VKey
		if s == l.cfg.PQ {
			vkey = l.cfg.PQ.VKey().String()
		}
		p, err := verify.ParsePolicy([]byte("log " + vkey + "\nquorum none\n"))
		if err != nil {
			return false
		}
		if _, err := p.Open(signed); err != nil {
			return false
		}
	}
	return true
}

// checkKeys refuses a key that the charter in force does not name, and finds out
// whether it names Config.PQ.
func (l *Ledger) checkKeys(terms record.Terms) error {
	if !slices.Contains(terms.LogKeys, l.cfg.VKey) {
		return fmt.Errorf("%w: the charter in force does not name this log key, %s, so nothing is signed with it. "+
			"It names %s: put one of these in place, or see docketd key succeed", ErrHalted, l.cfg.VKey, strings.Join(terms.LogKeys, ", "))
	}
	named := l.cfg.PQ != nil && slices.Contains(terms.LogKeys, l.cfg.PQ.VKey().String())
	if l.cfg.PQ != nil && !named {
		l.cfg.Logger.Warn("checkpoints get no ML-DSA-44 line: the charter in force does not name the key; docket charter amend changes that")
	}
	l.pq.Store(named)
	return nil
}

// amended looks at the keys again once other terms are in force.
func (w *writer) amended() error {
	info, err := w.l.keys.charter()
	if err != nil {
		return err
	}
	return w.l.checkKeys(info.Charter.Terms)
}

// keepsKey refuses an amendment under which this ledger could sign no more, or
// whose log keys nobody could use.
func (l *Ledger) keepsKey(p *record.CharterAmend) error {
	for _, k := range p.LogKeys {
		key, err := verify.ParseVKey(k)
		if err == nil && (key.Name != l.origin || key.Alg == verify.Ed25519Cosignature) {
			err = fmt.Errorf("want a key of type 0x01 or 0x06 with the name %s", l.origin)
		}
		if err != nil {
			return l.refuse(LogKeyUnfit, fmt.Errorf("%s: log_keys: %.300s: %w", LogKeyUnfit, k, err))
		}
	}
	if !slices.Contains(p.LogKeys, l.cfg.VKey) {
		return l.refuse(LogKeyUnfit, fmt.Errorf("%s: log_keys does not name the key that signs this log, %s: "+
			"name both, hand over with docketd key succeed, and then drop it", LogKeyUnfit, l.cfg.VKey))
	}
	return nil
}

// mayTakeOver checks that the charter in force, and the amendment that waits to be
// in force if there is one, name the keys of Config.
func (l *Ledger) mayTakeOver(state rules.State) error {
	info, err := rules.ReadCharter(state)
	if err != nil {
		return err
	}
	waits, err := rules.ReadPending(state)
	if err != nil {
		return err
	}
	vkeys := []string{l.cfg.VKey}
	if l.cfg.PQ != nil {
		vkeys = append(vkeys, l.cfg.PQ.VKey().String())
	}
	for _, vkey := range vkeys {
		if !slices.Contains(info.Charter.LogKeys, vkey) {
			return fmt.Errorf("the charter in force does not name the next log key: first log an amendment "+
				"(docket charter amend) whose log_keys name it beside the old one: %s", vkey)
		}
		if waits != nil && !slices.Contains(waits.LogKeys, vkey) {
			return fmt.Errorf("an amendment that waits to be in force does not name the next log key: "+
				"log another one (docket charter amend) that does: %s", vkey)
		}
	}
	l.pq.Store(l.cfg.PQ != nil)
	return nil
}
