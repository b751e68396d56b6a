package ledger_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

var (
	histories = flag.Int("histories", 25, "how many random histories TestDifferential makes up")
	firstSeed = flag.Uint64("seed", 1, "the seed of the first of them")
)

// TestDifferential makes up histories of legal and illegal moves of every kind,
// by many signers, with changes of keys, charter and policies, sends them through
// a ledger, as effective or as void, and lets the auditor judge the files: the
// same standings, the same codes. A history for which that is not so is made as
// short as possible and printed.
func TestDifferential(t *testing.T) {
	total, seen := counts{}, map[rules.Code]bool{}
	for n := range uint64(*histories) {
		seed := *firstSeed + n
		random := rand.New(rand.NewPCG(seed, 11))
		moves := make([]uint64, 30+random.IntN(30))
		for i := range moves {
			moves[i] = random.Uint64()
		}
		c, err := play(t, moves)
		if err != nil {
			short := shrink(moves, func(m []uint64) bool { _, err := play(t, m); return err != nil })
			_, err = play(t, short)
			t.Fatalf("seed %d, %d of %d moves: %v\n%s", seed, len(short), len(moves), err, tell(t, short))
		}
		total.effective += c.effective
		total.void += c.void
		total.dated += c.dated
		for code := range c.seen {
			seen[code] = true
		}
	}
	t.Logf("%d different codes and findings: %v", len(seen), slices.Sorted(maps.Keys(seen)))
	t.Logf("%d receipts show since when their records are signed", total.dated)
	t.Logf("%d histories from seed %d on: %d effective and %d void records, judged alike by ledger and auditor",
		*histories, *firstSeed, total.effective, total.void)
	if total.void < *histories || total.effective < *histories*8 {
		t.Error("that says little")
	}
}

type counts struct {
	effective, void int
	dated           int // receipts that show since when they were signed
	seen            map[rules.Code]bool
}

// shrink leaves out moves as long as fails still says so.
func shrink(moves []uint64, fails func([]uint64) bool) []uint64 {
	for size := len(moves) / 2; size > 0; {
		shorter := false
		for i := 0; i+size <= len(moves); i++ {
			if less := slices.Delete(slices.Clone(moves), i, i+size); fails(less) {
				moves, shorter = less, true
				break
			}
		}
		if !shorter {
			size /= 2
		}
	}
	return moves
}

// TestShrink: what matters is left, in order.
func TestShrink(t *testing.T) {
	moves := []uint64{5, 1, 9, 2, 7, 3}
	got := shrink(moves, func(m []uint64) bool { return slices.Contains(m, 9) && slices.Contains(m, 3) })
	if !slices.Equal(got, []uint64{9, 3}) {
		t.Errorf("left is %v, want 9 and 3", got)
	}
}

// A quiet testing.TB for worlds that are made many times: its folders go when
// it ends, and it does not log.
type quiet struct {
	testing.TB
	ends []func()
}

func (q *quiet) Cleanup(f func()) { q.ends = append(q.ends, f) }
func (q *quiet) TempDir() string {
	dir, err := os.MkdirTemp("", "docket-differential-")
	if err != nil {
		q.Fatal(err)
	}
	q.ends = append(q.ends, func() { os.RemoveAll(dir) })
	return dir
}

func (q *quiet) end() {
	for _, f := range slices.Backward(q.ends) {
		f()
	}
}

// play sends a history through a ledger and audits it. The error says where they
// part.
func play(t *testing.T, moves []uint64) (counts, error) {
	p, end := perform(t, moves, io.Discard)
	defer end()
	p.seen = map[rules.Code]bool{}
	for _, s := range p.codes {
		for _, code := range slices.Concat(s.Codes, s.Findings) {
			p.seen[code] = true
		}
	}
	err := p.compare()
	return p.counts, err
}

func tell(t *testing.T, moves []uint64) string {
	var b strings.Builder
	_, end := perform(t, moves, &b)
	end()
	return b.String()
}

func perform(t *testing.T, moves []uint64, out io.Writer) (*player, func()) {
	q := &quiet{TB: t}
	w := ledgertest.New(q, func(c *ledger.Config) { c.VoidsPerDay = 1000 })
	p := &player{w: w, out: out, codes: map[int64]rules.Standing{}, ids: map[record.Type][]placed{}}
	for _, who := range []string{"dora2 decider", "ira intake", "abe appeals", "amy appeals", "max machine", "enf enforcer", "pri privacy", "reg registrar"} {
		name, role, _ := strings.Cut(who, " ")
		p.send(w.Sign(&record.KeyEnrol{Holder: strings.TrimSuffix(name, "2"), JWK: ledgertest.JWK(name), Roles: []record.Role{record.Role(role)}}, "ada", "ben", name))
	}
	p.send(w.Sign(fullPolicy(w), "ada", "cleo"))
	w.Advance(time.Minute)
	for _, m := range moves {
		p.Rand = rand.New(rand.NewPCG(m, 5))
		p.move()
	}
	return p, q.end
}

// fullPolicy has clauses that demand all that a clause can.
func fullPolicy(w *ledgertest.World) *record.PolicyPublish {
	one := record.Quorum{Role: record.RoleDecider, Count: 1}
	all := []record.Permit{{Actions: record.Actions, ServiceLayers: []record.ServiceLayer{"hosting"}}}
	return &record.PolicyPublish{Policy: "full", Version: 1, Title: "Full", Lang: "en", EffectiveFrom: w.Time(0), Clauses: []record.Clause{
		{Clause: "plain", Title: "t", Text: "t", Quorum: one, Permits: all},
		{Clause: "notice", Title: "t", Text: "t", Quorum: one, Permits: all, Notice: &record.MinNotice{Hours: 2, Exempt: []string{"court_order"}}},
		{Clause: "appeal", Title: "t", Text: "t", Quorum: one, Permits: all,
			Appeal: &record.AppealRight{Within: 10, RuleWithin: 5, Quorum: record.Quorum{Role: record.RoleAppeals, Count: 1}}},
		{Clause: "bound", Title: "t", Text: "t", Quorum: one, Permits: all, MaxDuration: 3, ReviewWithin: 2, NotTogether: [][]string{{"dora", "erik"}}},
		{Clause: "grave", Title: "t", Text: "t", Quorum: one, Permits: all,
			Quorums: []record.QuorumFor{{Severities: []string{"high"}, Signers: []record.Quorum{{Role: record.RoleDecider, Count: 2}}}}},
		{Clause: "quick", Title: "t", Text: "t", Quorum: record.Quorum{Role: record.RoleDecider, Count: 2}, Permits: all,
			Emergency:     &record.Emergency{Harms: []string{"life"}, Quorum: one, Ratifiers: record.Quorum{Role: record.RoleRatifier, Count: 1}, RatifyWithin: 3},
			Retrospective: &record.Afterwards{Ratifiers: one, RatifyWithin: 4}},
	}}
}

// placed is a record of a case.
type placed struct {
	id      record.ID
	name    string
	subject record.Subject
}

// A player makes moves, most of them nearly right.
type player struct {
	*rand.Rand
	w   *ledgertest.World
	out io.Writer
	counts
	sent  [][]byte
	codes map[int64]rules.Standing
	ids   map[record.Type][]placed // effective acts
	tips  []placed                 // newest acts, one a case
	full  int64                    // versions of the policy "full" tried
}

func (p *player) one(names ...string) string { return names[p.IntN(len(names))] }

// some are the names, or now and then only some of them, or others.
func (p *player) some(names ...string) []string {
	switch p.IntN(8) {
	case 0:
		return names[:1+p.IntN(len(names))]
	case 1:
		return []string{p.one("dora", "erik", "fay", "gus", "ira", "abe", "max", "ada")}
	}
	return names
}

// tip is the newest act of a case, or now and then another id.
func (p *player) tip(of placed) record.ID {
	if p.IntN(12) == 0 {
		return p.w.Policy
	}
	for _, tip := range p.tips {
		if tip.name == of.name {
			return tip.id
		}
	}
	return of.id
}

// act is one of the effective acts of a type; ok is false if there is none.
func (p *player) act(t record.Type) (placed, bool) {
	list := p.ids[t]
	if len(list) == 0 {
		return placed{}, false
	}
	return list[len(list)-1-p.IntN(min(3, len(list)))], true
}

func (p *player) move() {
	p.w.Advance(time.Duration(p.IntN(100)) * time.Minute)
	moves := []func() []byte{p.decide, p.decide, p.decide, p.proceed, p.proceed, p.proceed, p.intake, p.notice, p.told, p.ratify, p.ratify,
		p.appeal, p.appeal, p.rule, p.rule, p.about, p.keys, p.keys, p.policy, p.amend, p.timemark, p.timemark, p.again, p.reopen}
	if b := moves[p.IntN(len(moves))](); b != nil {
		p.send(b)
	}
}

func (p *player) send(b []byte) {
	p.w.TB.Helper()
	out, err := p.w.Ledger.Submit(context.Background(), b, ledger.Options{LogVoid: true})
	u, parseErr := record.Parse(b)
	if parseErr != nil {
		p.w.TB.Fatal(parseErr)
	}
	fmt.Fprintf(p.out, "%s  %v %v  %v\n", u.Payload().Head().Type, out.Standing.Codes, err, string(u.PayloadBytes()))
	var refused *ledger.RefusedError
	switch {
	case errors.Is(err, ledger.ErrVoidSigner), errors.As(err, &refused):
		return
	case err != nil:
		p.w.TB.Fatal(err)
	case out.Known:
		return
	}
	p.sent = append(p.sent, b)
	if p.codes[out.Index] = out.Standing; !out.Standing.Effective() {
		p.void++
		return
	}
	p.effective++
	p.remember(u, out.ID)
}

// remember keeps what later moves refer to.
func (p *player) remember(u *record.Unverified, id record.ID) {
	a, ok := u.Payload().(record.Act)
	if !ok {
		return
	}
	name, _ := a.Place()
	of := placed{id: id, name: name}
	i := slices.IndexFunc(p.tips, func(t placed) bool { return t.name == name })
	switch q := a.(type) {
	case *record.Decision:
		of.subject = q.Subject
	case *record.Intake:
		of.subject = q.Subject
	case *record.Notice:
		of.subject = q.Subject
	default:
		of.subject = p.tips[i].subject
	}
	if i >= 0 {
		p.tips[i] = of
	} else {
		p.tips = append(p.tips, of)
	}
	p.ids[a.Head().Type] = append(p.ids[a.Head().Type], of)
}

// compare audits the files and holds them to what the ledger said.
func (p *player) compare() error {
	files := fstest.MapFS{}
	for path, b := range p.w.Files() {
		files[path] = &fstest.MapFile{Data: b}
	}
	policy, err := verify.ParsePolicy(p.w.TrustPolicy())
	if err != nil {
		return err
	}
	judged := map[int64]rules.Standing{}
	var broken []verify.Finding
	sum, err := verify.Audit(context.Background(), verify.DirSource(files), policy, verify.AuditOptions{
		Found: func(f verify.Finding) {
			if f.Severity == verify.Broken {
				broken = append(broken, f)
			}
		},
		Each: func(i int64, _ record.Checked, s rules.Standing) { judged[i] = s },
	})
	if err != nil || len(broken) > 0 {
		return fmt.Errorf("audit: %v, %+v", err, broken)
	}
	for i, said := range p.codes {
		if found := judged[i]; !slices.Equal(said.Codes, found.Codes) || !slices.Equal(said.Findings, found.Findings) {
			return fmt.Errorf("entry %d: the ledger says %v %v, the auditor %v %v", i, said.Codes, said.Findings, found.Codes, found.Findings)
		}
	}
	if err := p.receipts(policy); err != nil {
		return err
	}
	if sum.Void != int64(p.void) {
		return fmt.Errorf("the auditor counts %d void records, the ledger %d", sum.Void, p.void)
	}
	return nil
}

// receipts checks the full receipts: what is effective in the log is effective by
// what its receipt shows, whatever amendments came in between.
func (p *player) receipts(policy *verify.Policy) error {
	for i, said := range p.codes {
		b, err := p.w.Ledger.Receipt(context.Background(), said.ID)
		if err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		r, err := verify.ParseReceipt(b)
		if err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		if r.Index != i {
			continue // the same bytes were logged before
		}
		proven, err := r.Check(policy, nil)
		if err != nil {
			return fmt.Errorf("the receipt of entry %d does not hold: %w", i, err)
		}
		if said.Effective() && !proven.Standing.Effective() {
			return fmt.Errorf("entry %d is effective, its receipt says %v", i, proven.Standing)
		}
		if proven.Times.NotBefore.At != 0 {
			p.dated++
		}
	}
	return nil
}

// cosigned is the ledger's newest checkpoint with cosignatures by witnesses.
func (p *player) cosigned(names ...string) string {
	b, err := p.w.Ledger.ReadFile(context.Background(), "checkpoint")
	if err != nil {
		p.w.TB.Fatal(err)
	}
	text, _, _ := strings.Cut(string(b), "\n\n")
	text += "\n"
	for _, name := range names {
		at := uint64(p.w.Now().Unix() - int64(p.IntN(100)))
		sig := ed25519.Sign(ledgertest.Key(name), fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text))
		k := witness(name)
		raw := append(binary.BigEndian.AppendUint32(nil, k.ID()), binary.BigEndian.AppendUint64(nil, at)...)
		b = append(b, "— "+name+" "+base64.StdEncoding.EncodeToString(append(raw, sig...))+"\n"...)
	}
	return string(b)
}

func witness(name string) verify.VKey {
	return verify.VKey{Name: name, Alg: verify.Ed25519Cosignature, Key: ledgertest.Key(name).Public().(ed25519.PublicKey)}
}
