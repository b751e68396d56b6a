package liartest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/docket-ledger/docket/verify"
)

// A Verdict is what a program has to say of a lie.
type Verdict int

const (
	// Contradicts: the log is not what it was, exit code 1.
	Contradicts Verdict = iota
	// Broken: what is served is not what the log signed, exit code 1.
	Broken
	// Missing: files are not there. Who copies a log can't tell why, exit code
	// 3; who audits it calls it broken, exit code 1.
	Missing
	// Silent: nothing can be said, exit code 3.
	Silent
	// Unseen: only somebody who knows the time can tell, exit code 0.
	Unseen
	// Older: less is shown than before, but all of it is there. Who copies a log
	// says that it is smaller, exit code 1; who audits it notes it, exit code 0.
	Older
)

// A Lie is what a server shows to somebody who has seen First.
type Lie struct {
	Name    string
	First   Files
	Then    http.Handler
	Verdict Verdict
	// Proof is the kind of evidence that proves it to others; "" if nothing can.
	Proof verify.Kind
	// Fresh says that somebody who has not seen First must find it, too.
	Fresh bool
	// Endless says that the server never ends its answer: the caller has to lose
	// patience.
	Endless bool
}

// Lies are all that servers do. The operator's log has at least 300 entries.
func (o *Operator) Lies() []Lie {
	return append(o.histories(), o.files()...)
}

// histories are lies that are signed.
func (o *Operator) histories() []Lie {
	var lies []Lie
	full := len(o.entries)
	for _, first := range []int{1, 2, 255, 256, 257, 300} {
		for _, from := range distinct(0, 1, 254, 255, 256, first-1) {
			for _, size := range distinct(first, first+1, 257, 300) {
				if from >= first || size < first {
					continue
				}
				lies = append(lies, Lie{Name: fmt.Sprintf("fork of %d entries from %d on, grown to %d", first, from, size),
					First: o.Log(first), Then: o.Fork(size, from), Verdict: Contradicts, Proof: verify.KindFork})
			}
		}
		lies = append(lies, Lie{Name: fmt.Sprintf("set back from %d entries to %d", full, first), First: o.Log(full), Then: o.Log(first), Verdict: Contradicts})
	}
	log, grown, forked := o.Log(300), o.Log(full), o.Fork(300, 299)
	lie := o.head(log)
	lie.Size++
	twoSizes := Files(maps.Clone(log))
	twoSizes["checkpoint"] = o.checkpoint(lie)
	other := newOperator(o.tb, o.Signer.Name(), "another key")
	return append(lies,
		Lie{Name: "an empty log", First: log, Then: o.Log(0), Verdict: Contradicts},
		Lie{Name: "an old checkpoint before the newer files", First: grown, Then: with(merged(grown, log), "checkpoint", log["checkpoint"]), Verdict: Older},
		Lie{Name: "a fork's old checkpoint before the newer files", First: grown, Then: with(merged(grown, forked), "checkpoint", forked["checkpoint"]),
			Verdict: Contradicts, Proof: verify.KindFork},
		Lie{Name: "frozen", First: log, Then: log, Verdict: Unseen},
		Lie{Name: "one root with two sizes", First: log, Then: twoSizes, Verdict: Contradicts, Proof: verify.KindFork},
		Lie{Name: "its key is another one", First: log, Then: o.signed(other.Signer, o.entries), Verdict: Broken, Fresh: true},
		Lie{Name: "a signature of another checkpoint", First: log, Then: with(grown, "checkpoint", flipped(grown["checkpoint"], -10)), Verdict: Broken, Fresh: true},
		Lie{Name: "a checkpoint of another log", First: log, Then: newOperator(o.tb, "elsewhere.example.com/1", "elsewhere").Log(0), Verdict: Broken, Fresh: true},
		Lie{Name: "no checkpoint", First: log, Then: with(grown, "checkpoint", nil), Verdict: Silent, Fresh: true},
		Lie{Name: "a checkpoint without end", First: log, Then: instead(grown, "checkpoint", endless), Verdict: Silent, Fresh: true},
	)
}

// files are lies about what was signed. The log has grown from 256 entries.
func (o *Operator) files() []Lie {
	log := o.Log(len(o.entries))
	const bundle, tile = "tile/entries/000", "tile/0/000"
	edge := ""
	for path := range log {
		if len(path) > len("tile/1/000.p/") && path[:len("tile/1/000.p/")] == "tile/1/000.p/" {
			edge = path
		}
	}
	swapped := Files(maps.Clone(log))
	second := "tile/entries/001"
	if swapped[second] == nil {
		second = fmt.Sprintf("tile/entries/001.p/%d", len(o.entries)-256)
	}
	swapped[bundle], swapped[second] = swapped[second], swapped[bundle]
	page := func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<!doctype html><p>Our new site has moved")
	}
	nothing := func(http.ResponseWriter, *http.Request) {}
	lies := []Lie{
		{Name: "bundles swapped", Then: swapped, Verdict: Broken},
		{Name: "a bundle truncated", Then: with(log, bundle, log[bundle][:len(log[bundle])-1]), Verdict: Broken},
		{Name: "a bundle of another log", Then: with(log, bundle, o.Fork(256, 100)[bundle]), Verdict: Broken},
		{Name: "a byte of an entry", Then: with(log, bundle, flipped(log[bundle], 5000)), Verdict: Broken},
		{Name: "a byte of a tile", Then: with(log, tile, flipped(log[tile], 5000)), Verdict: Broken},
		{Name: "a byte of the edge", Then: with(log, edge, flipped(log[edge], 7)), Verdict: Broken},
		{Name: "200 and a page for a missing bundle", Then: instead(log, bundle, page), Verdict: Broken},
		{Name: "200 and a page for a missing tile", Then: instead(log, tile, page), Verdict: Broken},
		{Name: "200 and nothing for a missing bundle", Then: instead(log, bundle, nothing), Verdict: Broken},
		{Name: "200 and nothing for the missing edge", Then: instead(log, edge, nothing), Verdict: Broken},
		{Name: "a missing bundle", Then: with(log, bundle, nil), Verdict: Missing},
		{Name: "a missing tile", Then: with(log, tile, nil), Verdict: Missing},
		{Name: "a body without end", Then: instead(log, bundle, endless), Verdict: Silent},
		{Name: "a tile without end", Then: instead(log, tile, endless), Verdict: Silent},
		{Name: "a body that says to be huge", Then: instead(log, bundle, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000000000")
		}), Verdict: Silent},
		{Name: "redirected elsewhere", Then: instead(log, bundle, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.invalid/"+bundle, http.StatusFound)
		}), Verdict: Silent},
		{Name: "redirected in a circle", Then: instead(log, tile, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}), Verdict: Silent},
		{Name: "a byte a second", Then: instead(log, bundle, slow), Verdict: Silent, Endless: true},
		{Name: "no answer", Then: instead(log, tile, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), Verdict: Silent, Endless: true},
	}
	for i := range lies {
		lies[i].First, lies[i].Fresh = Files{}, true // nothing of it was read before
	}
	return lies
}

// distinct returns each number once.
func distinct(numbers ...int) []int {
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// merged returns the files of both logs; where they differ, those of the first.
func merged(a, b Files) Files {
	all := maps.Clone(b)
	maps.Copy(all, a)
	return all
}

// with returns the files with one changed; nil takes it away.
func with(f Files, path string, b []byte) Files {
	f = maps.Clone(f)
	if f[path] = b; b == nil {
		delete(f, path)
	}
	return f
}

// instead serves the files, but for one.
func instead(f Files, path string, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/"+path {
			h(w, r)
			return
		}
		f.ServeHTTP(w, r)
	})
}

// flipped returns b with a bit of one byte changed, counted from the end if
// negative.
func flipped(b []byte, at int) []byte {
	b = append([]byte{}, b...)
	if at = min(at, len(b)-1); at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	return b
}

// endless answers as much as anybody reads.
func endless(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			return
		}
	}
}

// slow answers for ever.
func slow(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if _, err := w.Write([]byte{0}); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}
