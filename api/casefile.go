package api

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/casefile"
	"github.com/docket-ledger/docket/verify/telling"
)

// maxCaseRecords is how many records a case may have whose file is made here: each
// takes a receipt.
const maxCaseRecords = 256

// errCaseLarge says that a case is too long for a file on request.
var errCaseLarge = fmt.Errorf("the case has more than %d records: docket case export makes its file", maxCaseRecords)

// caseFile answers with the file of a case, as docket case export writes it. It is
// checked before it leaves.
func (s *server) caseFile(w *response, r *http.Request) error {
	name := variable(r, "case")
	k, err := s.ledger.Case(r.Context(), name, 0, maxCaseRecords)
	if err != nil {
		return err
	}
	if k.More {
		return errCaseLarge
	}
	info, err := s.ledger.Info(r.Context())
	if err != nil {
		return err
	}
	f := &casefile.File{Origin: info.Origin, Case: name}
	for _, one := range k.Items {
		text, err := s.ledger.Receipt(r.Context(), one.Standing.ID)
		if err != nil {
			return err
		}
		f.Entries = append(f.Entries, casefile.Entry{Index: one.Standing.Index, ID: one.Standing.ID, Type: one.Type, Receipt: text, SaidVoid: !one.Standing.Effective()})
	}
	policy, err := verify.ParsePolicy([]byte("log " + info.VKey + "\nquorum none\n"))
	if err != nil {
		return err
	}
	story, err := f.Check(verify.Policies{policy})
	if err != nil {
		return fmt.Errorf("the file of a case does not hold: %w", err)
	}
	var b bytes.Buffer
	if err := casefile.Write(&b, f, story, telling.Plain); err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", `attachment; filename="case-`+name+`.zip"`)
	w.Header().Set("Cache-Control", fresh)
	return replyConditional(w, r, "application/zip", tag(b.Bytes()), b.Bytes())
}
