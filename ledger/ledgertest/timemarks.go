package ledgertest

import (
	"context"
	"strings"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// WithCosignatures adds cosignatures of now by witnesses to a checkpoint.
func (w *World) WithCosignatures(note []byte, names ...string) []byte {
	w.TB.Helper()
	text, _, _ := strings.Cut(string(note), "\n\n")
	c, err := verify.ParseCheckpoint(text + "\n")
	w.must(err)
	out := string(note)
	for _, name := range names {
		out += Cosignature(name, c, w.Now())
	}
	return []byte(out)
}

// Machine enrols max as the machine that signs timemarks, and lets an amendment
// name witnesses: it is in force at once, since the recovery keys sign along.
func (w *World) Machine(witnesses ...string) {
	w.TB.Helper()
	w.Submit(w.Sign(&record.KeyEnrol{Holder: "max", JWK: JWK("max"), Roles: []record.Role{record.RoleMachine}}, "ada", "ben", "max"))
	terms := w.Charter().Terms
	terms.Witnesses = witnesses
	w.Submit(w.Sign(&record.CharterAmend{Terms: terms, Reasons: "Witnesses cosign."}, "ada", "ben", "rita", "rolf"))
}

// Timemark logs the newest checkpoint, cosigned now.
func (w *World) Timemark(names ...string) ledger.Outcome {
	w.TB.Helper()
	note, err := w.Ledger.ReadFile(context.Background(), "checkpoint")
	w.must(err)
	return w.Submit(w.Sign(&record.Timemark{Checkpoint: string(w.WithCosignatures(note, names...))}, "max"))
}
