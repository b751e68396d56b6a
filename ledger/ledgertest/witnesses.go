package ledgertest

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify"
)

// WitnessNames are the witnesses of a witnessed World; two of them are its quorum.
var WitnessNames = []string{"w1", "w2", "w3"}

// WitnessKey is the cosigning key of a witness, whose name it bears.
func WitnessKey(name string) verify.VKey {
	return verify.VKey{Name: name + ".test.example", Alg: verify.Ed25519Cosignature, Key: Key("witness " + name).Public().(ed25519.PublicKey)}
}

// WitnessLines are the witness, group and quorum lines of a policy for witnesses
// of whom need must cosign.
func WitnessLines(need int, names ...string) []string {
	var lines []string
	for _, name := range names {
		lines = append(lines, "witness "+name+" "+WitnessKey(name).String()+" https://"+name+".test.example/")
	}
	return append(lines, fmt.Sprintf("group enough %d %s", need, strings.Join(names, " ")), "quorum enough")
}

// NewWitnessed is New of a ledger that has three witnesses, of whom its charter
// and its witness policy demand two, and the machine key "max", which is a
// founder's. Nobody cosigns but by Cosign. change may be nil.
func NewWitnessed(tb testing.TB, change func(*ledger.Config)) *World {
	tb.Helper()
	return begin(tb, true, change, nil)
}

// witnessConfig fills in what a witnessed ledger has.
func (w *World) witnessConfig() {
	w.TB.Helper()
	policy, err := verify.ParsePolicy(w.WitnessPolicy())
	w.must(err)
	w.Config.WitnessPolicy, w.Config.Checkpoints, w.Config.Machine = policy, filepath.Join(w.Dir, "checkpoints"), Key("max")
}

// WitnessPolicy is the trust policy file that demands two of three witnesses.
func (w *World) WitnessPolicy() []byte {
	return []byte("log " + w.vkey + "\n" + strings.Join(WitnessLines(2, WitnessNames...), "\n") + "\n")
}

// Cosignature returns the signature line of a witness under a checkpoint.
func Cosignature(name string, c verify.Checkpoint, at time.Time) string {
	time := uint64(at.Unix())
	key := WitnessKey(name)
	sig := ed25519.Sign(Key("witness "+name), fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", time, c.Text()))
	raw := binary.BigEndian.AppendUint32(nil, key.ID())
	raw = binary.BigEndian.AppendUint64(raw, time)
	return "— " + key.Name + " " + base64.StdEncoding.EncodeToString(append(raw, sig...)) + "\n"
}

// Note returns a head as the named witnesses cosign it now; "w1@1h" is w1 with a
// clock that is an hour ahead.
func (w *World) Note(head verify.Signed, witnesses string) []byte {
	w.TB.Helper()
	note := string(head.Note)
	for _, one := range strings.Fields(witnesses) {
		name, ahead, wrong := strings.Cut(one, "@")
		at := w.Now()
		if wrong {
			d, err := time.ParseDuration(ahead)
			w.must(err)
			at = at.Add(d)
		}
		note += Cosignature(name, head.Checkpoint, at)
	}
	return []byte(note)
}

// Cosign lets the named witnesses cosign the newest head, as Note says.
func (w *World) Cosign(witnesses string) verify.Signed {
	w.TB.Helper()
	head := w.Ledger.Head()
	w.must(w.Ledger.Cosigned(context.Background(), w.Note(head, witnesses)))
	return head
}
