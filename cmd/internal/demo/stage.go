package demo

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// A stage is where the story happens: a directory, a ledger in it, and the keys
// of everybody.
type stage struct {
	ctx     context.Context
	dir     string
	vkey    string
	subject keyfile.SubjectKey
	keys    map[string]crypto.Signer
	ledger  *ledger.Ledger // nil before there is a charter

	witnesses []cosigner
	shown     int64 // the size of the log that they were shown last

	logged []logged
}

// logged is a record that the log holds, under the name of its receipt.
type logged struct {
	name string
	ledger.Outcome
}

func (s *stage) path(name ...string) string {
	return filepath.Join(append([]string{s.dir}, name...)...)
}

// makeKeys gives everybody a key, in a file of their own.
func (s *stage) makeKeys() error {
	if err := os.Mkdir(s.path("keys"), 0o700); err != nil {
		return err
	}
	names := slices.Concat(founders, recovery)
	for _, h := range holders {
		names = append(names, h.name)
	}
	s.keys = map[string]crypto.Signer{}
	for _, name := range names {
		key, err := keyfile.New(keyfile.EdDSA)
		if err != nil {
			return err
		}
		if err := keyfile.Write(s.path("keys", name+".jwk"), key, nil); err != nil {
			return err
		}
		s.keys[name] = key
	}
	var err error
	s.subject, err = keyfile.NewSubjectKey(s.path("keys", "subject.key"))
	return err
}

// jwk returns the public key of a name.
func (s *stage) jwk(name string) record.JWK {
	jwk, err := record.NewJWK(s.keys[name].Public())
	if err != nil {
		panic(err) // makeKeys made it
	}
	return jwk
}

// seen returns the newest checkpoint as signers name it.
func (s *stage) seen() record.Seen {
	if s.ledger == nil {
		return record.SeenNothing
	}
	head := s.ledger.Head().Checkpoint
	return record.SeenTree(head.Size, head.Root)
}

// next returns the number that the next signature of a name should have.
func (s *stage) next(name string) (int64, error) {
	if s.ledger == nil {
		return 1, nil
	}
	key, err := s.ledger.Key(s.ctx, s.jwk(name).KID())
	if errors.Is(err, fs.ErrNotExist) {
		return 1, nil
	}
	return key.NextSeq, err
}

// sign returns the record that states p, signed by the named, now.
func (s *stage) sign(p record.Payload, names ...string) ([]byte, error) {
	p.Head().Ledger = Origin
	u, err := record.NewDraft(p)
	if err != nil {
		return nil, err
	}
	seen := s.seen()
	for _, name := range names {
		seq, err := s.next(name)
		if err != nil {
			return nil, err
		}
		if u, err = u.Sign(s.keys[name], time.Now().Unix(), seq, seen); err != nil {
			return nil, err
		}
	}
	return u.Bytes(), nil
}

// log signs and submits a record that must be effective.
func (s *stage) log(name string, p record.Payload, signers ...string) (ledger.Outcome, error) {
	b, err := s.sign(p, signers...)
	if err != nil {
		return ledger.Outcome{}, fmt.Errorf("%s: %w", name, err)
	}
	out, err := s.ledger.Submit(s.ctx, b, ledger.Options{})
	if err != nil {
		return out, fmt.Errorf("%s: %w", name, err)
	}
	if !out.Standing.Effective() || len(out.Standing.Findings) > 0 {
		return out, fmt.Errorf("%s: %v %v, which this story has no place for", name, out.Standing.Codes, out.Standing.Findings)
	}
	s.logged = append(s.logged, logged{name, out})
	return out, nil
}

// refused submits a record that the ledger must refuse, for exactly these codes.
func (s *stage) refused(b []byte, want ...record.Code) error {
	_, err := s.ledger.Submit(s.ctx, b, ledger.Options{})
	var refusal *ledger.RefusedError
	switch {
	case err == nil:
		return fmt.Errorf("the ledger took what it should have refused for %v", want)
	case !errors.As(err, &refusal):
		return err
	case fmt.Sprint(refusal.Codes) != fmt.Sprint(want):
		return fmt.Errorf("refused for %v, and the story says %v", refusal.Codes, want)
	}
	return nil
}

// named returns what was logged under a name of the story.
func (s *stage) named(name string) logged {
	i := slices.IndexFunc(s.logged, func(l logged) bool { return l.name == name })
	return s.logged[i] // the story has it
}

func (s *stage) trustPolicy() []byte {
	return []byte("# The log of the demonstration, and no witnesses.\nlog " + s.vkey + "\nquorum none\n")
}

// receipts writes the full receipts of all that was logged, in one checkpoint: with
// its cosignatures, of the effective records, and with the log's signature alone.
func (s *stage) receipts() error {
	for _, folder := range []string{"receipts", "void", "witnessed"} {
		if err := os.Mkdir(s.path(folder), 0o755); err != nil {
			return err
		}
	}
	key, err := verify.ParseVKey(s.vkey)
	if err != nil {
		return err
	}
	for _, l := range s.logged {
		cosigned, err := s.ledger.Receipt(s.ctx, l.ID)
		if err != nil {
			return fmt.Errorf("receipt of %s: %w", l.name, err)
		}
		r, err := verify.ParseReceipt(cosigned)
		if err != nil {
			return err
		}
		if r.Checkpoint, err = verify.KeepLines(r.Checkpoint, key); err != nil {
			return err
		}
		texts := map[string][]byte{"receipts": r.Marshal(), "witnessed": cosigned}
		if !l.Standing.Effective() {
			texts = map[string][]byte{"void": r.Marshal()}
		}
		for folder, text := range texts {
			if err := os.WriteFile(s.path(folder, fmt.Sprintf("%02d-%s.tlog-proof", l.Index, l.name)), text, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkReceipts checks the receipts of a folder with nothing but their bytes and a
// trust policy, and returns what each of them proves.
func (s *stage) checkReceipts(folder, policy string, effective bool) ([]*verify.Proven, error) {
	trust, err := os.ReadFile(s.path(policy))
	if err != nil {
		return nil, err
	}
	trusted, err := verify.ParsePolicy(trust)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(s.path(folder, "*.tlog-proof"))
	if err != nil {
		return nil, err
	}
	var all []*verify.Proven
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		receipt, err := verify.ParseReceipt(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		proven, err := receipt.Check(trusted, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if proven.Standing.Effective() != effective {
			return nil, fmt.Errorf("%s: effective %v, want %v: %v", file, !effective, effective, proven.Standing.Codes)
		}
		all = append(all, proven)
	}
	return all, nil
}

// names lists people for a sentence.
func names(people ...string) string { return strings.Join(people, ", ") }
