package rules

import "github.com/docket-ledger/docket/verify/record"

// A Code names a reason why a record is void, or a finding. Codes are stable.
type Code = record.Code

// The codes of the rules. Explain has a sentence for each.
const (
	CharterMissing  Code = "charter.missing"
	CharterNotFirst Code = "charter.not_first"

	KeyRevoked        Code = "key.revoked"
	KeyExpired        Code = "key.expired"
	RoleMissing       Code = "role.missing"
	QuorumShort       Code = "quorum.short"
	QuorumUnreachable Code = "quorum.unreachable"
	EnrolPossession   Code = "enrol.possession"
	EnrolOtherHolder  Code = "enrol.other_holder"
	RevokeUnknown     Code = "revoke.unknown_key"

	PolicyVersion          Code = "policy.version"
	PolicyUnknown          Code = "policy.unknown"
	PolicyRepealed         Code = "policy.repealed"
	HistoricNotPermitted   Code = "historic.not_permitted"
	GroundNone             Code = "ground.none"
	GroundUnpublished      Code = "ground.unpublished"
	GroundNotYetEffective  Code = "ground.not_yet_effective"
	GroundRepealed         Code = "ground.repealed"
	GroundWrongLayer       Code = "ground.wrong_layer"
	ActionNotPermitted     Code = "action.not_permitted"
	CaseExists             Code = "case.exists"
	CasePrevMismatch       Code = "case.prev_mismatch"
	CaseTransition         Code = "case.transition"
	CaseSubject            Code = "case.subject"
	EmergencyNotPermitted  Code = "emergency.not_permitted"
	EmergencyRepeated      Code = "emergency.repeated"
	RatificationTooLate    Code = "ratification.too_late"
	RatificationDependent  Code = "ratification.not_independent"
	TimeBeforeSeen         Code = "time.before_seen"
	TimeDecidedAhead       Code = "time.decided_ahead"
	TimeUnmarked           Code = "time.retrospective_unmarked"
	RetrospectiveForbidden Code = "retrospective.not_permitted"
	SeenMismatch           Code = "seen.mismatch"
	SeqRepeat              Code = "seq.repeat"

	SignersConflict  Code = "signers.conflict"
	SeverityMissing  Code = "severity.missing"
	DurationExceeded Code = "duration.exceeded"
	ReviewMissing    Code = "review.missing"
	OrderIncomplete  Code = "order.incomplete"
	NoticeMissing    Code = "notice.missing"
	NoticeTooEarly   Code = "notice.too_early"
	AppealTooLate    Code = "appeal.too_late"
	RulingDependent  Code = "ruling.not_independent"
	AboutUnknown     Code = "about.unknown"
	TimemarkInvalid  Code = "timemark.invalid"

	// Findings, which don't make a record void.
	SeqGap       Code = "seq.gap"
	SeqLate      Code = "seq.late"
	KeyContested Code = "key.contested"
	RecoveryUsed Code = "recovery.used"
	AmendDelayed Code = "amend.delayed"
	RulingLate   Code = "ruling.late"
	TimeAhead    Code = "time.ahead"
)

// A Sentence explains a code to a layman.
type Sentence struct {
	Code    Code
	Finding bool // does not make a record void
	// Whole marks what can be judged only with the whole log at hand.
	Whole bool
	Text  string
}

// Sentences lists all codes, in the order of the examination.
var Sentences = []Sentence{
	{Code: record.Malformed, Text: "The text is not a record in the one accepted spelling."},
	{Code: record.Unsupported, Text: "These rules have no rules for records of this type or version."},
	{Code: record.LedgerMismatch, Text: "The record was signed for another ledger."},
	{Code: record.KeyUnknown, Text: "It is signed by a key that this ledger never enrolled."},
	{Code: record.SignatureInvalid, Text: "A signature does not hold: the text was changed, or another key signed."},
	{Code: CharterMissing, Text: "The ledger has no valid charter; its first record must be one."},
	{Code: CharterNotFirst, Text: "A charter stands only at the beginning of a ledger."},
	{Code: KeyRevoked, Text: "A signer's key had been revoked before."},
	{Code: KeyExpired, Text: "A signer's key was no longer valid at the time of the record."},
	{Code: RoleMissing, Text: "A signer does not hold the role that this kind of record asks for."},
	{Code: QuorumShort, Text: "Too few different people signed."},
	{Code: QuorumUnreachable, Whole: true, Text: "After this, too few keys would be left to enrol or revoke others."},
	{Code: EnrolPossession, Text: "The new key did not sign its own enrolment as it must: once, with its next number."},
	{Code: EnrolOtherHolder, Text: "The key belongs to another holder."},
	{Code: RevokeUnknown, Whole: true, Text: "The key that is to be revoked is not in force here."},
	{Code: PolicyVersion, Whole: true, Text: "The version is not the one that follows, or mixes historic and present texts."},
	{Code: PolicyUnknown, Whole: true, Text: "The policy was never published here."},
	{Code: PolicyRepealed, Whole: true, Text: "The policy had been repealed."},
	{Code: HistoricNotPermitted, Text: "Texts from before the ledger may be published, and cited, only in its first time and only for decisions from before it."},
	{Code: GroundNone, Text: "No published rule is named that would permit the action."},
	{Code: GroundUnpublished, Text: "The rule that is named was not published in this ledger before the decision."},
	{Code: GroundNotYetEffective, Whole: true, Text: "The rule that is named was published, but not yet in force."},
	{Code: GroundRepealed, Whole: true, Text: "The rule that is named was no longer in force."},
	{Code: GroundWrongLayer, Text: "The rule that is named does not apply to this kind of service."},
	{Code: ActionNotPermitted, Text: "The rule that is named does not permit this action on this kind of service."},
	{Code: CaseExists, Whole: true, Text: "A case of this name exists already, and the record does not continue it."},
	{Code: CasePrevMismatch, Whole: true, Text: "The record does not follow the newest act of its case."},
	{Code: CaseTransition, Whole: true, Text: "This act can't come after what was decided in the case before."},
	{Code: CaseSubject, Whole: true, Text: "The case is about another subject."},
	{Code: EmergencyNotPermitted, Text: "The rule that is named does not permit an emergency decision, or not for this harm."},
	{Code: EmergencyRepeated, Whole: true, Text: "An emergency was used for this subject before, with no ordinary decision since."},
	{Code: RatificationTooLate, Whole: true, Text: "The approval came after its time was over."},
	{Code: RatificationDependent, Text: "Somebody who took the decision also signed its approval."},
	{Code: SignersConflict, Text: "Two people signed who, by the rule that is named, may not sign together."},
	{Code: SeverityMissing, Text: "The rule that is named asks for signatures by severity, and none is stated."},
	{Code: DurationExceeded, Text: "The measure lasts longer than the rule that is named permits, or has no end where one is demanded."},
	{Code: ReviewMissing, Text: "The rule that is named demands a date of review, and there is none in time."},
	{Code: OrderIncomplete, Text: "The order of an authority does not carry what the rule that is named demands."},
	{Code: NoticeMissing, Whole: true, Text: "The rule that is named demands that the subject is told before, and nothing shows it."},
	{Code: NoticeTooEarly, Whole: true, Text: "The time that the subject was given to answer was not over."},
	{Code: AppealTooLate, Whole: true, Text: "The complaint came after its time was over."},
	{Code: RulingDependent, Whole: true, Text: "Somebody who signed an earlier act of the case also signed the ruling."},
	{Code: AboutUnknown, Whole: true, Text: "The record speaks about a decision that this ledger does not hold as effective."},
	{Code: TimemarkInvalid, Text: "The checkpoint is not one of this log, or too few of its witnesses cosigned it."},
	{Code: TimeBeforeSeen, Whole: true, Text: "A signer claims to have signed before the state of the log that the signature names existed."},
	{Code: TimeDecidedAhead, Text: "The decision is dated later than its signatures."},
	{Code: TimeUnmarked, Text: "The decision was recorded afterwards without saying so."},
	{Code: RetrospectiveForbidden, Text: "No rule that is named allows this decision to be recorded afterwards."},
	{Code: SeenMismatch, Whole: true, Text: "A signer saw another log than this one."},
	{Code: SeqRepeat, Whole: true, Text: "A signer's number was used before: the same signature can't count twice."},
	{Code: SeqGap, Finding: true, Whole: true, Text: "A signer's numbers skip: something this key signed may have been kept from the log."},
	{Code: SeqLate, Finding: true, Whole: true, Text: "A signature came later than one that was made after it."},
	{Code: KeyContested, Finding: true, Text: "The revoked key may have been in other hands since the time named; what it signed since then needs to be confirmed."},
	{Code: RecoveryUsed, Finding: true, Text: "The recovery keys of the charter were used."},
	{Code: AmendDelayed, Finding: true, Text: "The amendment makes the ledger less strict, so it is in force only after the time that rule changes are public before."},
	{Code: RulingLate, Finding: true, Whole: true, Text: "The appeal was ruled on after its time was over."},
	{Code: TimeAhead, Finding: true, Whole: true, Text: "A signature is dated later than the witnesses saw its record in the log."},
}

var sentences = func() map[Code]Sentence {
	m := map[Code]Sentence{}
	for _, s := range Sentences {
		m[s.Code] = s
	}
	return m
}()

// Explain returns the sentence for a code, or the code itself if it is not one
// of Sentences.
func Explain(code Code) string {
	if s, ok := sentences[code]; ok {
		return s.Text
	}
	return string(code)
}

// Finding reports whether a code is a finding, which makes no record void.
func Finding(code Code) bool { return sentences[code].Finding }

// NeedsWholeLog reports whether a code depends on records that an excerpt of a
// log does not show.
func NeedsWholeLog(code Code) bool { return sentences[code].Whole }
