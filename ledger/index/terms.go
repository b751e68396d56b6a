package index

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/rivo/uniseg"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/docket-ledger/docket/verify/record"
)

// maxWord is how many characters of a word are kept; longer ones are cut.
const maxWord = 64

// words splits a text into words as Unicode says (UAX #29), each without letter
// case, marks and compatibility forms, so that "Café" is "cafe". A name such as
// example.com is one word; its parts come after it, as parts.
func words(text string, use func(word string, part bool)) {
	folded := fold(text)
	for state := -1; len(folded) > 0; {
		var word string
		word, folded, state = uniseg.FirstWordInString(folded, state)
		if !strings.ContainsFunc(word, spoken) {
			continue
		}
		use(cut(word), false)
		if strings.IndexFunc(word, unspoken) < 0 {
			continue
		}
		for part := range strings.FieldsFuncSeq(word, unspoken) {
			use(cut(part), true)
		}
	}
}

// spoken reports whether a character is part of a word.
func spoken(r rune) bool   { return unicode.IsLetter(r) || unicode.IsNumber(r) }
func unspoken(r rune) bool { return !spoken(r) }

func cut(word string) string {
	n := 0
	for i := range word {
		if n == maxWord {
			return word[:i]
		}
		n++
	}
	return word
}

// fold takes away what people leave out when they search: letter case, marks on
// letters, and characters that are not seen.
func fold(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) < 0 {
		return strings.ToLower(text) // the same, and fast
	}
	text = norm.NFKD.String(cases.Fold().String(text))
	if strings.IndexFunc(text, unseen) < 0 {
		return text
	}
	return strings.Map(func(r rune) rune {
		if unseen(r) {
			return -1
		}
		return r
	}, text)
}

func unseen(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Cf) }

// texts are the members of payloads that hold what people wrote, or names by which
// they look for it.
var texts = map[string]bool{
	"case": true, "contact": true, "detail": true, "distinguishing_reason": true, "facts": true, "harm": true, "is": true,
	"locator": true, "name": true, "operator": true, "policy": true, "reason": true, "reasons": true, "redress": true, "source": true,
	"statement": true, "summary": true, "text": true, "title": true, "was": true, "why": true, "why_not": true,
	"authority": true, "reporter": true, "legal_reference": true, "register": true, "system": true,
}

// payloadTexts returns what people wrote in a payload, each text by itself.
func payloadTexts(payload []byte) ([]string, error) {
	var members map[string]any
	if err := json.Unmarshal(payload, &members); err != nil {
		return nil, err
	}
	return collect(nil, "", members), nil
}

func collect(all []string, name string, v any) []string {
	switch v := v.(type) {
	case string:
		if texts[name] {
			all = append(all, v)
		}
	case []any:
		for _, one := range v {
			all = collect(all, name, one)
		}
	case map[string]any:
		for _, member := range slices.Sorted(maps.Keys(v)) {
			all = collect(all, member, v[member])
		}
	}
	return all
}

// textEnd stands after a text among words: it is none, so no phrase goes over it.
const textEnd = "|"

// A doc is what the index knows of a record.
type doc struct {
	values map[Field][]string
	words  []string // of all texts, with the parts of names
	pairs  []string // of short words that stand next to each other in a text
	text   string   // the words without those parts, in their order, with textEnd after each text and a space around each
	time   record.Time
	// of holds the case of an act, speaksOf the acts that another record speaks of,
	// holders the pseudonyms of the keys that the record enrols.
	of       string
	speaksOf []record.ID
	holders  map[string]string
}

// isPair reports whether two words are both so short that many records have them, as
// articles are, and the characters of Chinese and Japanese: what stands next to each
// other of these is indexed, what of longer ones is looked for in the texts.
func isPair(a, b string) bool { return isShort(a) && isShort(b) }

func isShort(word string) bool { return word != "" && utf8.RuneCountInString(word) <= 6 }

// write notes the words of texts.
func (d *doc) write(texts []string) {
	var all strings.Builder
	for _, text := range texts {
		before := ""
		words(text, func(word string, part bool) {
			d.words = append(d.words, word)
			if part {
				return
			}
			all.WriteString(" " + word)
			if isPair(before, word) {
				d.pairs = append(d.pairs, before+" "+word)
			}
			before = word
		})
		all.WriteString(" " + textEnd)
	}
	d.text = all.String() + " "
}

func (d *doc) add(f Field, values ...string) {
	for _, v := range values {
		if v != "" {
			d.values[f] = append(d.values[f], v)
		}
	}
}
