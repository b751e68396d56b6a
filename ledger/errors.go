package ledger

import (
	"errors"
	"strings"

	"github.com/docket-ledger/docket/verify/rules"
)

// Errors of Submit and Open. None of them means that something was recorded,
// but for ErrHalted and ErrStopping, after which a record that was on its way
// may or may not be there: submitting the same bytes again is always safe.
var (
	// ErrBusy: too many records are on their way. Try again in a moment.
	ErrBusy = errors.New("too many records are waiting")
	// ErrStopping: the ledger is shutting down. Try again when it is back.
	ErrStopping = errors.New("the ledger is shutting down")
	// ErrDiskFull: there is too little room left to record anything. The
	// operator has to make room.
	ErrDiskFull = errors.New("the disk is full; nothing was recorded")
	// ErrUnreachable: the servers of the log can't be reached, or can't do it
	// now. Nothing was recorded; try again in a moment.
	ErrUnreachable = errors.New("the servers of the log can't be reached; nothing was recorded")
	// ErrHalted: the ledger refuses to sign, or does not know its state.
	// The operator has to look; the error says at what.
	ErrHalted = errors.New("the ledger has halted")
	// ErrEmpty: the log has no charter yet; see Init.
	ErrEmpty = errors.New("the ledger is empty: it begins with a charter")
	// ErrVoidLimit: no more refused records are logged as void today.
	ErrVoidLimit = errors.New("as many void records as a day may have were logged today")
	// ErrVoidSigner: a refused record is logged as void only if every
	// signer is a decider, registrar or appeals officer in force.
	ErrVoidSigner = errors.New("only what deciders, registrars or appeals officers signed is logged as void")
)

// The codes of admission: what the rules can't judge, for want of a clock or of the
// log's private key.
const (
	IATAhead     rules.Code = "admission.iat_ahead"
	DraftExpired rules.Code = "admission.draft_expired"
	LogKeyUnfit  rules.Code = "admission.log_key"
)

// Explain is rules.Explain for the codes of admission, too.
func Explain(code rules.Code) string {
	switch code {
	case IATAhead:
		return "A signature is dated later than the ledger's clock allows."
	case DraftExpired:
		return "A signature is older than this ledger accepts: sign again."
	case LogKeyUnfit:
		return "With these log keys the ledger could not sign any more."
	}
	return rules.Explain(code)
}

// A RefusedError says that the record itself is at fault. Nothing was recorded;
// the same bytes will be refused again, or, for codes of time, until then.
type RefusedError struct {
	// Codes say why, sorted; at least one.
	Codes []rules.Code
	// Detail is the *record.Error of a record that could not be opened, with
	// the place of the fault; nil otherwise.
	Detail error
}

func (e *RefusedError) Error() string {
	if e.Detail != nil {
		return e.Detail.Error()
	}
	words := make([]string, len(e.Codes))
	for i, c := range e.Codes {
		words[i] = string(c)
	}
	return "refused: " + strings.Join(words, ", ")
}

// Unwrap returns Detail.
func (e *RefusedError) Unwrap() error { return e.Detail }
