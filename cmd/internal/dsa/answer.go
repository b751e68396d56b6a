package dsa

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/verify/record"
)

// ErrRefused is wrapped by the error of ReadAnswer for an answer that says that the
// database took nothing.
var ErrRefused = errors.New("the database took none of the statements")

// An Answer is what the database said of one statement.
type Answer struct {
	// ID is the decision's, which is the statement's puid.
	ID record.ID
	// UUID is what the database calls the statement.
	UUID string
	// At is when it was received.
	At record.Time
}

// Record returns the payload that ties the answer to the decision, without a ledger.
func (a Answer) Record() *record.Export {
	return &record.Export{About: a.ID, At: a.At, Register: Register, Reference: a.UUID}
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// ReadAnswer reads the JSON with which the database answered: to many statements or to
// one, or that it refuses. The error says what is wrong, and with which statement.
func ReadAnswer(b []byte) ([]Answer, error) {
	type created struct {
		PUID      string `json:"puid"`
		UUID      string `json:"uuid"`
		CreatedAt string `json:"created_at"`
	}
	var a struct {
		created
		Statements []created                 `json:"statements"`
		Message    string                    `json:"message"`
		Errors     map[string]jsontext.Value `json:"errors"`
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("this is no answer of the database: %w", err)
	}
	switch {
	case a.Message != "" || len(a.Errors) > 0:
		return nil, refusal(a.Message, a.Errors)
	case a.Statements == nil && a.UUID != "":
		a.Statements = []created{a.created}
	case len(a.Statements) == 0:
		return nil, errors.New("this is no answer of the database: it has neither statements nor a uuid. Keep the body of its answer as it came")
	}
	var all []Answer
	seen := map[string]bool{}
	for i, s := range a.Statements {
		one, err := s.PUID, error(nil)
		at, timeErr := readTime(s.CreatedAt)
		switch _, idErr := record.ID(one).Hash(); {
		case idErr != nil:
			err = fmt.Errorf("its puid %.80q is not the id of a record", one)
		case seen[one]:
			err = fmt.Errorf("the puid %s stands there twice", one)
		case !uuidForm.MatchString(s.UUID):
			err = fmt.Errorf("its uuid is %.80q", s.UUID)
		case timeErr != nil:
			err = timeErr
		}
		if err != nil {
			return nil, fmt.Errorf("statement %d of the answer: %w", i, err)
		}
		seen[one] = true
		all = append(all, Answer{record.ID(one), s.UUID, at})
	}
	return all, nil
}

// readTime reads a time as the database writes it, which is UTC.
func readTime(s string) (record.Time, error) {
	for _, layout := range []string{time.DateTime, time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return record.Time(t.Unix()), nil
		}
	}
	return 0, fmt.Errorf("its created_at is %.80q; want a time like 2026-11-23 08:00:00", s)
}

// refusal says what the database refused, by its own words.
func refusal(message string, faults map[string]jsontext.Value) error {
	lines := []string{cmp.Or(message, "it does not say why")}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		lines = append(lines, fmt.Sprintf("%s: %.400s", name, faults[name]))
	}
	return fmt.Errorf("%w: %s", ErrRefused, strings.Join(lines, "\n  "))
}
