package rules

import (
	"strings"

	"github.com/docket-ledger/docket/verify/record"
)

// PolicyInfo is what is known of a policy, as of a time.
type PolicyInfo struct {
	Policy string
	// Historic says that its texts are from before the ledger.
	Historic bool
	Versions []VersionInfo
	// InForce is the version in force, 0 if there is none.
	InForce int64
	// Repealed says that the policy was repealed; RepealedAt from when on no
	// version is in force, 0 as long as that is not known.
	Repealed   bool
	RepealedAt record.Time
}

// A VersionInfo is a version that was published.
type VersionInfo struct {
	Version int64
	// Record is the id of the record that published it.
	Record record.ID
	// Start is from when on it may be in force, 0 as long as that is not known:
	// no timemark covers its publication yet.
	Start record.Time
}

// ReadPolicy returns what state knows of a policy at a time in seconds since
// 1970, or nil if it was never published.
func ReadPolicy(state State, policy string, at int64) (*PolicyInfo, error) {
	r := &rows{get: state.Get, memo: memo{}}
	row, err := readJSON[policyRow](state, rowPolicy+policy)
	if err != nil || row == nil {
		return nil, err
	}
	p := &PolicyInfo{Policy: policy, Historic: row.Historic, Repealed: row.Repealed != nil}
	for _, v := range row.Versions {
		start, err := r.known(v.policyChange)
		if err != nil {
			return nil, err
		}
		p.Versions = append(p.Versions, VersionInfo{Version: v.Version, Record: v.Record, Start: start})
	}
	if row.Repealed != nil {
		if p.RepealedAt, err = r.known(*row.Repealed); err != nil {
			return nil, err
		}
	}
	p.InForce, err = r.at(row, at)
	return p, err
}

// known is start, with 0 while it is not known.
func (r *rows) known(c policyChange) (record.Time, error) {
	start, ok, err := r.start(c)
	if err != nil || !ok {
		return 0, err
	}
	return record.Time(start), nil
}

// Policies calls yield for the name of every policy, in no order.
func Policies(state Lister, yield func(policy string) error) error {
	return state.List(rowPolicy, func(row string, _ []byte) error { return yield(strings.TrimPrefix(row, rowPolicy)) })
}

// CaseInfo is where a case stands. The state keeps only the beginnings of ids.
type CaseInfo struct{ row *caseRow }

// ReadCase returns where a case stands, or nil if no effective act opened it.
func ReadCase(state State, name string) (*CaseInfo, error) {
	row, err := (&rows{get: state.Get}).caseAt(name)
	if err != nil || row == nil {
		return nil, err
	}
	return &CaseInfo{row}, nil
}

// IsTip reports whether an act is the newest effective one of the case.
func (c *CaseInfo) IsTip(id record.ID) bool { return shortID(id) == c.row.tip }

// IsLast reports whether a decision or ruling is the one that says what is in
// force, or was decided last; see ReadStatus.
func (c *CaseInfo) IsLast(id record.ID) bool { return c.row.by != "" && shortID(id) == c.row.by }

// Decided reports whether there is such a decision or ruling.
func (c *CaseInfo) Decided() bool { return c.row.by != "" }
