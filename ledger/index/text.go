package index

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
)

// Bounds of what may be searched for.
const (
	maxText  = 400   // bytes
	maxTerms = 20    // words and phrases
	maxWords = 5_000 // of the index, that begin with one word*
	maxLooks = 3_000 // records that are looked through for a phrase
)

// A term is a part of a text that is searched for.
type term struct {
	words  []string // one, or those of a phrase
	not    bool
	prefix bool
}

// parseText reads what is searched for: words, "phrases", -without, begin*.
func parseText(text string) ([]term, error) {
	fault := func(format string, args ...any) ([]term, error) {
		return nil, &QueryError{"q", fmt.Sprintf(format, args...)}
	}
	if len(text) > maxText {
		return fault("the text is %d bytes long: at most %d are searched for", len(text), maxText)
	}
	if strings.Count(text, `"`)%2 != 0 {
		return fault(`a quotation mark is not closed: put both around the words that stand next to each other, "like this"`)
	}
	var terms []term
	for i, part := range strings.Split(text, `"`) {
		if i%2 == 1 { // between two marks
			not := len(terms) > 0 && terms[len(terms)-1].words == nil
			if not {
				terms = terms[:len(terms)-1]
			}
			terms = append(terms, term{words: whole(part), not: not})
			continue
		}
		for _, w := range strings.Fields(part) {
			rest, not := strings.CutPrefix(w, "-")
			rest, prefix := strings.CutSuffix(rest, "*")
			if rest == "" && not && !prefix && strings.HasSuffix(part, "-") {
				terms = append(terms, term{not: true}) // -"a phrase"
				continue
			}
			terms = append(terms, term{words: whole(rest), not: not, prefix: prefix})
		}
	}
	terms = slices.DeleteFunc(terms, func(t term) bool { return len(t.words) == 0 })
	if strings.TrimSpace(text) != "" && len(terms) == 0 {
		return fault("there is no word in it: a word has a letter or a digit")
	}
	if len(terms) > maxTerms {
		return fault("there are %d words and phrases: at most %d are searched for at once", len(terms), maxTerms)
	}
	if len(terms) > 0 && !slices.ContainsFunc(terms, func(t term) bool { return !t.not }) {
		return fault("every word has a minus sign: name one that is to occur")
	}
	return terms, nil
}

// whole returns the words of a text without the parts of names.
func whole(text string) []string {
	var out []string
	words(text, func(word string, part bool) {
		if !part {
			out = append(out, word)
		}
	})
	return out
}

// matching returns the records with what is searched for.
func (v view) matching(text string) (*roaring.Bitmap, error) {
	terms, err := parseText(text)
	if err != nil || len(terms) == 0 {
		return nil, err
	}
	if set := v.recent.get(v.size, text); set != nil {
		return set, nil
	}
	set, err := v.with(terms)
	if err == nil {
		v.recent.put(v.size, text, set)
	}
	return set, err
}

// with returns the records with what is searched for, one term at least that is to
// occur.
func (v view) with(terms []term) (*roaring.Bitmap, error) {
	var set *roaring.Bitmap
	for _, t := range terms { // those that are to occur first
		if t.not {
			continue
		}
		some, err := v.term(t, set)
		if err != nil {
			return nil, err
		}
		if set == nil {
			set = some
		} else {
			set.And(some)
		}
	}
	for _, t := range terms {
		if t.not {
			some, err := v.term(t, set)
			if err != nil {
				return nil, err
			}
			set.AndNot(some)
		}
	}
	return set, nil
}

// term returns the records with a term; of a phrase those within, if that is set.
func (v view) term(t term, within *roaring.Bitmap) (*roaring.Bitmap, error) {
	if len(t.words) == 1 && t.prefix {
		return v.beginning(t.words[0])
	}
	if len(t.words) == 1 {
		return v.posting(wordKey(t.words[0]))
	}
	set, exact := within, len(t.words) == 2
	for i, word := range t.words {
		names := []string{wordKey(word)}
		if i > 0 && isPair(t.words[i-1], word) {
			names = append(names, pairKey(t.words[i-1]+" "+word))
		} else if i > 0 {
			exact = false
		}
		for _, name := range names {
			some, err := v.posting(name)
			if err != nil {
				return nil, err
			}
			if set != nil {
				some.And(set)
			}
			set = some
		}
	}
	if exact {
		return set, nil
	}
	return v.phrase(t.words, set)
}

// beginning returns the records with a word that begins with one.
func (v view) beginning(word string) (*roaring.Bitmap, error) {
	set, n, last := roaring.New(), 0, ""
	err := v.between("w"+word, "w"+word+"\xff", func(key, row []byte) error {
		if w := string(key[1 : len(key)-3]); w != last {
			n, last = n+1, w
		}
		if n > maxWords {
			return &QueryError{"q", fmt.Sprintf("more than %d words begin with %q: write more of it", maxWords, word)}
		}
		return addRow(set, chunkOf(key), row)
	})
	return set, err
}

// phrase returns those of some records in whose texts words stand next to each other.
func (v view) phrase(phrase []string, set *roaring.Bitmap) (*roaring.Bitmap, error) {
	if n := set.GetCardinality(); n > maxLooks {
		return nil, &QueryError{"q", fmt.Sprintf("%d records have the words of the phrase: that is too many to look through, add another word", n)}
	}
	sought, numbers := []byte(" "+strings.Join(phrase, " ")+" "), set.ToArray()
	var mu sync.Mutex
	var looking sync.WaitGroup
	var errs []error
	out := roaring.New()
	for part := range slices.Chunk(numbers, max(len(numbers)/runtime.GOMAXPROCS(0)+1, 100)) {
		looking.Go(func() {
			have, err := v.having(sought, part)
			mu.Lock()
			defer mu.Unlock()
			out.AddMany(have)
			errs = append(errs, err)
		})
	}
	looking.Wait()
	return out, errors.Join(errs...)
}

// having returns those of some records whose texts have a piece.
func (v view) having(piece []byte, numbers []uint32) (have []uint32, err error) {
	it, err := v.NewIter(nil)
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	for _, n := range numbers {
		key := textKey(int64(n))
		if !it.SeekGE(key) || !bytes.Equal(it.Key(), key) {
			return nil, errors.Join(errDamaged, it.Close())
		}
		row, err := it.ValueAndErr()
		if err != nil {
			return nil, errors.Join(err, it.Close())
		}
		if bytes.Contains(row[min(8, len(row)):], piece) {
			have = append(have, n)
		}
	}
	return have, it.Close()
}
