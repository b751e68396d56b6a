//go:build peers

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/ledger/ledgertest"
)

// TestPeerTimes gives receipts with timemarks and cosignatures, up to the largest
// ones, to transparency-dev/formats, which reads lines of less than 64 KiB.
func TestPeerTimes(t *testing.T) {
	s := &scene{World: ledgertest.New(t, nil), dir: t.TempDir()}
	s.write("log.vkey", s.VKey()+"\n")
	s.Machine(ledgertest.WitnessLines(2, threeWitnesses...)...)
	s.Timemark("w1", "w2")
	s.Timemark(threeWitnesses...)
	for n := range 12 {
		d := s.Decision(fmt.Sprintf("case-%d", n))
		d.Facts = strings.Repeat("x", 1+2000*n)
		s.receipt(fmt.Sprintf("receipts/%02d.tlog-proof", n), s.Submit(s.Sign(d, "dora", "erik")).ID, threeWitnesses...)
	}
	cmd := exec.Command("go", "run", ".", s.dir)
	cmd.Dir = filepath.Join("..", "internal", "demo", "testdata", "peers")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "12 receipts read by formats") {
		t.Errorf("%v\n%s", err, out)
	}
	s.write("trust.policy", "log "+s.VKey()+"\n"+strings.Join(ledgertest.WitnessLines(2, threeWitnesses...), "\n")+"\n")
	paths, err := filepath.Glob(filepath.Join(s.dir, "receipts", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	args := append([]string{"receipt", "--policy", filepath.Join(s.dir, "trust.policy")}, paths...)
	if err := program.Run(t.Context(), args, cli.Streams{In: os.Stdin, Out: &out, Err: &out}); err != nil || strings.Count(out.String(), "HOLDS  ") != 12 {
		t.Errorf("%v\n%s", err, out.String())
	}
}
