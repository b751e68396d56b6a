package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify"
)

// A Succession says how a log goes over to its next key.
type Succession struct {
	// Lost says that the old private key is gone: only the new one signs.
	Lost bool
	// Amendment, with Lost, is a charter.amend that names the new key and
	// could not be logged while the ledger was served.
	Amendment []byte
}

// A Handover is what came of a succession.
type Handover struct {
	// Old and New are verifier keys.
	Old, New string
	// Checkpoint is signed by both, with Succession.Lost by the new one.
	Checkpoint []byte
	// Retired is the file of the old private key, "" if it was lost.
	Retired string
}

// Succeed makes the next key of dir, see CreateNext, its log key. The charter in
// force must name it. In this order, each step durable before the next:
//
//	the guard holds the handover checkpoint, and a file in checkpoints/ too
//	the old keys are there under the name retired-ID as well
//	next.key becomes log.key, then the other files follow
//
// If it is interrupted before the last step begins, dir works with the old key as
// before and Succeed can be called again; after that, the next Open or Succeed moves
// the other files.
func Succeed(ctx context.Context, dir string, opt Options, how Succession) (Handover, error) {
	return succeed(ctx, dir, opt, how, func(string) error { return nil })
}

// succeed calls step before each of its steps and ends with its error.
func succeed(ctx context.Context, dir string, opt Options, how Succession, step func(name string) error) (Handover, error) {
	if err := alone(dir); err != nil {
		return Handover{}, err
	}
	p, err := openStores(ctx, dir, opt)
	if err != nil {
		return Handover{}, err
	}
	h, err := p.succeed(ctx, dir, how, step)
	return h, errors.Join(err, p.close())
}

func (p *parts) succeed(ctx context.Context, dir string, how Succession, step func(name string) error) (Handover, error) {
	if err := finishSuccession(dir); err != nil {
		return Handover{}, err
	}
	oldVKey, err := readVKey(dir, current)
	if err != nil {
		return Handover{}, err
	}
	heir, err := readKey(dir, next)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no next key: make one with docketd key --data %s --next: %w", dir, err)
	}
	if err != nil {
		return Handover{}, err
	}
	p.keys = append(p.keys, heir)
	old, err := p.oldSigners(dir, how.Lost)
	if err != nil {
		return Handover{}, err
	}
	if err := p.heirs(dir, heir, oldVKey); err != nil {
		return Handover{}, err
	}
	if err := step("sign"); err != nil {
		return Handover{}, err
	}
	signed, err := ledger.Succeed(ctx, p.cfg, old, how.Amendment)
	if err != nil {
		return Handover{}, err
	}
	h := Handover{Old: oldVKey.String(), New: heir.VKey().String(), Checkpoint: signed}
	if err := step("keep"); err != nil {
		return h, err
	}
	if err := keepHandover(dir, oldVKey, signed); err != nil {
		return h, err
	}
	h.Retired, err = retire(dir, step)
	return h, err
}

// oldSigners are who signed until now, without those who will go on; none if the
// key is lost.
func (p *parts) oldSigners(dir string, lost bool) ([]note.Signer, error) {
	old, err := readKey(dir, current)
	switch {
	case lost && err == nil:
		return nil, errors.Join(fmt.Errorf("%s is there and works, so the key is not lost: without --lost both keys sign, which everybody can check. "+
			"If somebody else has the key, do that at once", keyPath(dir, current+".key")), old.close())
	case lost:
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: put the old key back from its safe; if there is no copy, --lost does without", err)
	case err != nil:
		return nil, err
	}
	p.keys = append(p.keys, old)
	if !exists(keyPath(dir, next+pq+".key")) || !exists(keyPath(dir, current+pq+".key")) {
		return []note.Signer{old}, nil // the ML-DSA-44 key goes on, or there was none
	}
	also, err := readKey(dir, current+pq)
	if err != nil {
		return nil, err
	}
	return []note.Signer{old, also}, nil
}

// heirs completes the configuration with the next keys.
func (p *parts) heirs(dir string, heir *logKey, old verify.VKey) error {
	former, err := formerKeys(dir)
	if err != nil {
		return err
	}
	p.cfg.Signer, p.cfg.VKey = heir.LogSigner, heir.VKey().String()
	p.cfg.Former = without(append(former, old.String()), p.cfg.VKey)
	if was, err := readVKey(dir, current+pq); err == nil {
		p.cfg.Former = append(p.cfg.Former, was.String())
	}
	name := next + pq
	if !exists(keyPath(dir, name+".key")) {
		name = current + pq
	}
	if !exists(keyPath(dir, name+".key")) {
		return nil
	}
	also, err := readKey(dir, name)
	if err != nil {
		return err
	}
	p.cfg.PQ = also.LogSigner
	p.cfg.Former = without(p.cfg.Former, also.VKey().String())
	return nil
}

// without returns the verifier keys, each once, but one.
func without(vkeys []string, one string) []string {
	var rest []string
	seen := map[string]bool{one: true}
	for _, vkey := range vkeys {
		if !seen[vkey] {
			rest = append(rest, vkey)
		}
		seen[vkey] = true
	}
	return rest
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// keepHandover keeps the checkpoint that both keys signed, named after the old key:
// who asks later why the key changed is shown it.
func keepHandover(dir string, old verify.VKey, signed []byte) error {
	folder := filepath.Join(dir, "checkpoints")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	path := filepath.Join(folder, fmt.Sprintf("handover-%08x", old.ID()))
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(signed)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return errors.Join(os.Rename(path+".new", path), syncDir(folder))
}

// retire gives the old keys other names and the next keys theirs. It returns the
// file of the old private key, "" if there was none.
func retire(dir string, step func(string) error) (string, error) {
	retired := ""
	for _, name := range []string{current, current + pq} {
		if name == current+pq && !exists(keyPath(dir, next+pq+".key")) {
			continue // it goes on
		}
		vkey, err := readVKey(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		for _, suffix := range []string{".vkey", ".key"} {
			to := keyPath(dir, fmt.Sprintf("retired-%08x%s", vkey.ID(), suffix))
			if err := step("retire " + name + suffix); err != nil {
				return "", err
			}
			err := os.Link(keyPath(dir, name+suffix), to)
			if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
			if name+suffix == current+".key" && exists(to) {
				retired = to
			}
		}
	}
	if err := syncDir(keyPath(dir, "")); err != nil {
		return "", err
	}
	return retired, moveNext(dir, step)
}

// moveNext makes the next keys the keys. The private key goes first: the other
// files without it mean that this has begun.
func moveNext(dir string, step func(string) error) error {
	for _, suffix := range []string{".key", pq + ".key", pq + ".vkey", ".vkey"} {
		if err := step("move " + next + suffix); err != nil {
			return err
		}
		err := os.Rename(keyPath(dir, next+suffix), keyPath(dir, current+suffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := syncDir(keyPath(dir, "")); err != nil {
			return err
		}
	}
	return nil
}

// finishSuccession ends one that was interrupted while it moved the keys.
func finishSuccession(dir string) error {
	left, err := filepath.Glob(keyPath(dir, next+"*"))
	if err != nil || len(left) == 0 || exists(keyPath(dir, next+".key")) {
		return err
	}
	for _, f := range left {
		if !strings.HasSuffix(f, ".key") && !strings.HasSuffix(f, ".vkey") {
			return fmt.Errorf("%s is in the way: move it elsewhere", f)
		}
	}
	return moveNext(dir, func(string) error { return nil })
}
