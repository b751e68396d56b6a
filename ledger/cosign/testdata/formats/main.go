// Formats reads with foreign code what a log and its witnesses have signed: each
// note with transparency-dev/formats, every signature line of it with the keys of
// the policy, and the policy itself.
//
//	formats POLICY NOTE...
package main

import (
	"fmt"
	"log"
	"os"
	"strings"

	flog "github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/witness"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	policy, err := os.ReadFile(os.Args[1])
	check(err)
	quorum, err := witness.ParsePolicy(policy)
	check(err)
	var logKey note.Verifier
	var cosigners []note.Verifier
	for _, line := range strings.Split(string(policy), "\n") {
		switch words := strings.Fields(line); {
		case len(words) > 1 && words[0] == "log":
			logKey, err = note.NewVerifier(words[1])
			check(err)
		case len(words) > 2 && words[0] == "witness":
			v, err := fnote.NewVerifierForCosignatureV1(words[2])
			check(err)
			cosigners = append(cosigners, v)
		}
	}
	for _, path := range os.Args[2:] {
		b, err := os.ReadFile(path)
		check(err)
		cp, rest, n, err := flog.ParseCheckpoint(b, logKey.Name(), logKey, cosigners...)
		check(err)
		if len(rest) > 0 || len(n.UnverifiedSigs) > 0 || !quorum.Satisfied(b) || string(cp.Marshal()) != n.Text {
			log.Fatalf("%s: extension %q, %d lines of unknown keys, quorum %v", path, rest, len(n.UnverifiedSigs), quorum.Satisfied(b))
		}
		for _, s := range n.Sigs {
			if s.Name == logKey.Name() {
				continue
			}
			at, err := fnote.CoSigV1Timestamp(s)
			check(err)
			fmt.Printf("%s: size %d cosigned by %s at %d\n", path, cp.Size, s.Name, at.Unix())
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
