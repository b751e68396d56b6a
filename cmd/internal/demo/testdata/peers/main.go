// Peers reads what a demonstration left with foreign code: every receipt with
// transparency-dev/formats and transparency-dev/merkle, and those with witnesses under
// witnessed.policy, if there is one. The log key in log.vkey may be of any type that
// formats knows.
//
//	peers DIR
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	flog "github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/proof"
	fwitness "github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/merkle"
	mproof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	dir := os.Args[1]
	vkey, err := os.ReadFile(filepath.Join(dir, "log.vkey"))
	check(err)
	verifier, err := fnote.NewVerifier(strings.TrimSpace(string(vkey)))
	check(err)
	n := read(dir, "receipts", verifier, func([]byte) bool { return true })
	fmt.Printf("%d receipts read by formats, spelled the same, and proven by merkle\n", n)
	policy, err := os.ReadFile(filepath.Join(dir, "witnessed.policy"))
	if os.IsNotExist(err) {
		return
	}
	check(err)
	quorum, err := fwitness.ParsePolicy(policy)
	check(err)
	fmt.Printf("%d with the quorum of witnesses\n", read(dir, "witnessed", verifier, quorum.Satisfied))
}

// read checks the receipts of a folder, and returns how many these are. satisfied
// judges their checkpoints.
func read(dir, folder string, verifier note.Verifier, satisfied func(checkpoint []byte) bool) int {
	receipts, err := filepath.Glob(filepath.Join(dir, folder, "*.tlog-proof"))
	check(err)
	if len(receipts) < 6 {
		log.Fatalf("%d receipts, want at least 6", len(receipts))
	}
	for _, path := range receipts {
		b, err := os.ReadFile(path)
		check(err)
		var p proof.TLogProof
		check(p.Unmarshal(b))
		if again := p.Marshal(); string(again) != string(b) {
			log.Fatalf("%s: formats spells it otherwise:\n%s", path, again)
		}
		cp, _, _, err := flog.ParseCheckpoint(p.Checkpoint, verifier.Name(), verifier)
		check(err)
		if !satisfied(p.Checkpoint) {
			log.Fatalf("%s: too few witnesses", path)
		}
		var extra struct{ Record json.RawMessage }
		check(json.Unmarshal(p.ExtraData, &extra))
		leaf := rfc6962.DefaultHasher.HashLeaf(extra.Record)
		var hashes [][]byte
		for _, h := range p.Hashes {
			hashes = append(hashes, h[:])
		}
		check(mproof.VerifyInclusion(merkle.LogHasher(rfc6962.DefaultHasher), p.Index, cp.Size, leaf, hashes, cp.Hash))
	}
	return len(receipts)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
