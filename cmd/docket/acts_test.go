package main

import (
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
)

// TestActExamples: each example is a whole record once a subject has its ref,
// and what is signed is told with all its free text.
func TestActExamples(t *testing.T) {
	for _, k := range actKinds {
		text := strings.ReplaceAll(k.example, "{now}", "2026-11-23T08:00:00Z")
		text = strings.Replace(text, "  name: example.com ", "  ref: 47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU #", 1)
		s, err := parseSheet(k.command+".yaml", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", k.command, err)
			continue
		}
		p := k.make()
		if err := s.payload(p, k.typ, ""); err != nil {
			t.Errorf("%s: %v", k.command, err)
			continue
		}
		u, err := record.NewDraft(p)
		if err != nil {
			t.Errorf("%s: %v", k.command, err)
			continue
		}
		told := describe(u, nil, cited{})
		if strings.Contains(told, "a record\n") || !strings.Contains(told, "A record of type "+string(k.typ)) {
			t.Errorf("%s: %s", k.command, told)
		}
		for _, free := range []string{"on three days", "imitates a bank", "was not ours", "had been removed"} {
			if strings.Contains(text, free) {
				after, _, _ := strings.Cut(told, "This text can never be removed")
				if !strings.Contains(told, free) || strings.Contains(after, free) {
					t.Errorf("%s: %q is not under the warning:\n%s", k.command, free, told)
				}
			}
		}
	}
}
