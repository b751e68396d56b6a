package datadir

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify"
)

// A statement is a checkpoint that this log signed: what is restored must extend it.
type statement struct {
	verify.Signed
	who string // has it, for people
}

// fromGuard reads the statement of a guard file.
func fromGuard(path, who string, own *verify.Policy) (statement, error) {
	note, _, err := ledger.ReadGuard(path)
	if err != nil {
		return statement{}, err
	}
	signed, err := own.Open(note)
	if err != nil {
		return statement{}, fmt.Errorf("%w: %s: these keys did not sign its checkpoint: %w", verify.ErrCheckpoint, path, err)
	}
	return statement{signed, who}, nil
}

// fromKept reads the statements of the witnessed checkpoints of a backup.
func fromKept(dir string, own *verify.Policy) ([]statement, error) {
	path := filepath.Join(dir, "checkpoints", "newest")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	signed, err := own.Open(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return []statement{{signed, path}}, nil
}

// How long a witness has for its answer, and how much it may say.
const (
	witnessTime = 20 * time.Second
	maxAnswer   = 64 << 10
)

// ErrWitnesses is wrapped by errors of Restore that say that too few witnesses could
// be asked: trying again may help.
var ErrWitnesses = errors.New("too few witnesses say what they saw last")

// askWitnesses asks every witness of a policy file for the newest checkpoint of this
// log that it cosigned. A quorum must answer, and one of them must have seen the log.
func askWitnesses(ctx context.Context, file []byte, own *verify.Policy) ([]statement, error) {
	p, err := withLog(file, own)
	if err != nil {
		return nil, err
	}
	if p.Quorum() == "none" {
		return nil, fmt.Errorf("%w: the witness policy has the quorum none, it names nobody to ask", ErrUnbound)
	}
	witnesses := p.Witnesses()
	found, errs := make([]*statement, len(witnesses)), make([]error, len(witnesses))
	var wg sync.WaitGroup
	for i, w := range witnesses {
		wg.Go(func() { found[i], errs[i] = askWitness(ctx, w, p, own.Logs()[0].Key.Name) })
	}
	wg.Wait()
	var all []statement
	var answered []string
	for i, w := range witnesses {
		if errs[i] != nil {
			continue
		}
		answered = append(answered, w.Name)
		if found[i] != nil {
			all = append(all, *found[i])
		}
	}
	if !p.Reached(answered) {
		return nil, fmt.Errorf("%w: %w", ErrWitnesses, errors.Join(errs...))
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no witness of the policy has ever seen this log", ErrUnbound)
	}
	return all, nil
}

// withLog parses a policy file, in which the keys of a log count whether it names
// them or not.
func withLog(file []byte, own *verify.Policy) (*verify.Policy, error) {
	p, err := verify.ParsePolicy(file)
	if err != nil {
		return nil, err
	}
	var lines []byte
	for _, l := range own.Logs() {
		if !slices.ContainsFunc(p.Logs(), func(have verify.Log) bool { return have.Key.String() == l.Key.String() }) {
			lines = fmt.Appendf(lines, "log %s\n", l.Key)
		}
	}
	return verify.ParsePolicy(append(lines, file...))
}

// askWitness returns what a witness saw last, nil if it never saw the log.
func askWitness(ctx context.Context, w verify.Witness, p *verify.Policy, origin string) (*statement, error) {
	if w.URL == "" {
		return nil, fmt.Errorf("%s has no URL in the policy", w.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, witnessTime)
	defer cancel()
	url := fmt.Sprintf("%s/%x/checkpoint", strings.TrimRight(w.URL, "/"), sha256.Sum256([]byte(origin)))
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.Name, err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.Name, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", w.Name, err)
	case res.StatusCode == http.StatusNotFound:
		return nil, nil
	case res.StatusCode != http.StatusOK || len(b) > maxAnswer:
		return nil, fmt.Errorf("%s: %s, %d bytes", w.Name, res.Status, len(b))
	}
	signed, err := p.Open(b)
	if err != nil && !errors.Is(err, verify.ErrQuorum) {
		return nil, fmt.Errorf("%s: %w", w.Name, err)
	}
	if signed.Checkpoint.Origin != origin || !slices.ContainsFunc(signed.Cosignatures, func(c verify.Cosignature) bool { return c.Name == w.Name }) {
		return nil, fmt.Errorf("%s: it answers a checkpoint of %s that it did not cosign", w.Name, signed.Checkpoint.Origin)
	}
	return &statement{signed, "the witness " + w.Name}, nil
}

// bare returns a signed checkpoint with the signature lines of its log alone.
func (r *restorer) bare(s verify.Signed) ([]byte, error) {
	var keys []verify.VKey
	for _, l := range r.own.Logs() {
		keys = append(keys, l.Key)
	}
	if also, err := readVKey(r.to, current+pq); err == nil {
		keys = append(keys, also)
	}
	return verify.KeepLines(s.Note, keys...)
}
