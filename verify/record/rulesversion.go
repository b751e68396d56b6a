package record

import "slices"

// version0 are the types that rules version 0 knows.
var version0 = []Type{TypeCharter, TypeKeyEnrol, TypeKeyRevoke, TypePolicyPublish, TypePolicyRepeal, TypeDecision, TypeRatification}

// MinRules returns the first version of the rules that knows the type of p and
// every member that it has: 0 or 1.
func MinRules(p Payload) int64 {
	if !slices.Contains(version0, p.Head().Type) {
		return 1
	}
	switch p := p.(type) {
	case *Charter:
		return p.Rules
	case *Decision:
		if p.DSA != nil {
			return 1
		}
	case *PolicyPublish:
		for _, l := range p.Clauses {
			if l.Appeal != nil || l.MaxDuration != 0 || l.NotTogether != nil || l.Notice != nil || l.NotifyWithin != 0 ||
				l.Orders != nil || l.Quorums != nil || l.ReviewWithin != 0 {
				return 1
			}
		}
	}
	return 0
}
