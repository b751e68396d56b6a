package ledgertest

import (
	"math"
	"math/rand/v2"
	"strings"
)

// variedSounds are what words of a language are put together from, and its most
// frequent words. A language without spaces has no frequent ones.
var variedSounds = map[string]struct{ sounds, frequent []string }{
	"en": {strings.Fields("ab ac al an ar be ca con de der dis en er est for ing ion ist la lo ma ment mi no or per pre ra re ro se ser sta ter ti tra un ver"),
		strings.Fields("the of and to a in that is was he for it with as his on be at by had this not are but from or have an they which one you were her all she there would their we him been has when who will more no if out so said what up its about into than them can only other")},
	"de": {strings.Fields("ab auf be ber der ein en er ge gel heit ig ka keit ließ lich ma müll nach ob rä sch schaft sen stö ter tung über un ver vor wei zer"),
		strings.Fields("der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man")},
	"fr": {strings.Fields("a ci com dé é en ère fi ga hô in ju lé ma mé né oui par pré quê re ré sé sion té tion tri ver voi"),
		strings.Fields("de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont la avec son aux été cette ou ses mais comme on tout nous sa fait ont être aussi")},
	"el": {strings.Fields("α βα γρα δη ει ζω θε κα λο μέ να ξε πο ρί σα τι φό χώ ψη"),
		strings.Fields("και το να του η της με που την από για είναι ότι τα των σε ο οι στο στην")},
	"ru": {strings.Fields("ба ве го да жи за ко ла ми на об пра ро ста ти хо че ши эт ня"),
		strings.Fields("и в не на что с по это как но он она к за из у от для о же так было")},
	"ar": {strings.Fields("ال با تا جم حر دع رس سع شر صد ضع طل عم فت قر كت لم مع نص هد"), strings.Fields("في من على أن إلى التي الذي عن مع هذا")},
	"ja": {strings.Fields("東 京 会 社 決 定 違 法 内 容 通 知 警 告 停 止 サ イ ト は が を に の で"), nil},
}

// variedLanguages are picked as often as they are here.
var variedLanguages = strings.Fields("en en en en en de de de fr fr el ru ar ja")

const variedVocabulary = 8000 // words of a language, besides the frequent ones

// A writer writes texts of words as frequent as in real ones: the n-th word about 1/n
// as often as the first.
type writer struct {
	r     *rand.Rand
	rank  *rand.Zipf
	words map[string][]string
}

func newVariedWriter(r *rand.Rand) *writer {
	w := &writer{r: r, rank: rand.NewZipf(r, 1.07, 8, variedVocabulary), words: map[string][]string{}}
	for _, lang := range variedLanguages {
		if w.words[lang] != nil {
			continue
		}
		from := variedSounds[lang]
		words := append([]string{}, from.frequent...)
		for len(words) <= variedVocabulary {
			var b strings.Builder
			for range 2 + r.IntN(3) {
				b.WriteString(pick(r, from.sounds))
			}
			words = append(words, b.String())
		}
		w.words[lang] = words
	}
	return w
}

func (w *writer) language() string { return pick(w.r, variedLanguages) }

func (w *writer) word(lang string) string { return w.words[lang][w.rank.Uint64()] }

// domain returns a domain name, of which some come again.
func (w *writer) domain(lang string) string {
	if lang != "en" {
		lang = "en"
	}
	return w.word(lang) + "-" + w.word(lang) + "." + pick(w.r, []string{"example", "test", "example.com", "example.org"})
}

func (w *writer) title(lang string) string {
	return w.word(lang) + " " + w.word(lang) + " " + w.word(lang)
}

// text returns a text of 200 to some bytes, more often a short one.
func (w *writer) text(lang string, most int) string {
	want := int(200 * math.Exp(w.r.Float64()*math.Log(float64(most)/200)))
	var b strings.Builder
	for n := 1; b.Len() < want; n++ {
		b.WriteString(w.word(lang))
		switch {
		case n%17 == 0:
			b.WriteString(". ")
		case lang != "ja":
			b.WriteByte(' ')
		}
		if n%60 == 0 {
			b.WriteString(w.domain(lang) + " ")
		}
	}
	return strings.TrimSpace(b.String())
}
