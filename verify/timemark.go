package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// OpenTimemark checks the checkpoint of a timemark: signed by a log key of the
// charter, and cosigned with a time by so many of its witnesses that the quorum
// is reached. It is the rules.Opener of every ledger. The error says why the
// checkpoint shows no time.
func OpenTimemark(origin string, terms *record.Terms, checkpoint string) (rules.Head, error) {
	p, err := charterPolicy(terms)
	if err != nil {
		return rules.Head{}, err
	}
	signed, err := p.Open([]byte(checkpoint))
	if err != nil {
		return rules.Head{}, err
	}
	if signed.Checkpoint.Origin != origin {
		return rules.Head{}, fmt.Errorf("%w: a checkpoint of %s", ErrOrigin, signed.Checkpoint.Origin)
	}
	before, after, ok := p.Times(signed.Cosignatures)
	if !ok {
		return rules.Head{}, errors.New("too few of the cosignatures say when they were made")
	}
	return rules.Head{Size: signed.Checkpoint.Size, Root: signed.Checkpoint.Root, NotBefore: before, NotAfter: after}, nil
}

// charterPolicy is the trust policy that a charter names: its log keys and its
// witnesses.
func charterPolicy(terms *record.Terms) (*Policy, error) {
	var b strings.Builder
	for _, key := range terms.LogKeys {
		b.WriteString("log " + key + "\n")
	}
	for _, line := range terms.Witnesses {
		b.WriteString(line + "\n")
	}
	p, err := ParsePolicy([]byte(b.String()))
	if err != nil {
		return nil, fmt.Errorf("the charter's log keys and witnesses: %w", err)
	}
	return p, nil
}

// maxTime is the last second of the year 9999, the latest that a record can name.
const maxTime = 253402300799

// Times returns what cosignatures that were checked prove of the time, in seconds
// since 1970: notBefore is the greatest time such that those of then or later
// reach the quorum, notAfter the least such that those of then or before do. ok
// is false if those that say a time don't reach it, or if the quorum is none. A
// time after the year 9999 says nothing.
func (p *Policy) Times(cosignatures []Cosignature) (notBefore, notAfter int64, ok bool) {
	if p.quorum == none {
		return 0, 0, false
	}
	dated := slices.DeleteFunc(slices.Clone(cosignatures), func(c Cosignature) bool { return c.Time == 0 || c.Time > maxTime })
	slices.SortStableFunc(dated, func(a, b Cosignature) int { return int(min(max(a.Time-b.Time, -1), 1)) })
	var names []string
	for i := range dated {
		names = append(names, dated[i].Name)
		if p.Reached(names) {
			notAfter, ok = dated[i].Time, true
			break
		}
	}
	names = nil
	for i := len(dated) - 1; i >= 0 && ok; i-- {
		names = append(names, dated[i].Name)
		if p.Reached(names) {
			return dated[i].Time, notAfter, true
		}
	}
	return 0, 0, false
}
