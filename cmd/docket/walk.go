package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// A walk asks at a terminal for what a decision is to state, one member after
// the other. Its answers are the members of a sheet: what docket decide takes as
// FILE.yaml, so that a walk that ended early goes on from what it kept.
type walk struct {
	opt walkOptions
	std cli.Streams
	in  *os.File // the terminal
	buf *bufio.Reader

	value map[string]any // the answers, and what a kept sheet says beside them
	kept  map[string]any // answers of an earlier walk that are still to be taken

	ledger *client.Client // nil without --from
	offers []offer        // the clauses that are known
	chosen []offer        // those that were chosen
	known  client.Case    // what the ledger says of the case
	key    *keyfile.SubjectKey
	like   []client.Precedents // the like cases that were shown
}

// walkOptions are the flags of a walk.
type walkOptions struct {
	origin     string   // of the ledger, may be empty
	from       string   // URL of the ledger, may be empty
	policies   []string // files of policies, if there is no URL
	subjectKey string   // file, may be empty
	resume     string   // file of earlier answers, may be empty
	out        string
}

// walked reports whether a flag was given that only a walk has.
func (o walkOptions) walked() bool {
	return len(o.policies) > 0 || o.resume != ""
}

// answersEnding follows the name of the draft in that of the file of answers.
const answersEnding = ".answers.yaml"

// errNotDrafted is how a walk ends that was not gone to its end.
var errNotDrafted = errors.New("no draft was written")

// A wrong answer is asked for again.
type wrong string

func (w wrong) Error() string { return string(w) }

// An again is a wrong answer to an earlier question: the walk goes back to it.
type again struct{ member, why string }

func (a *again) Error() string { return a.why }

// decideByWalk asks for a decision and writes its draft. If it ends before, the
// answers so far are kept beside the draft that is not there.
func decideByWalk(ctx context.Context, opt walkOptions, std cli.Streams) error {
	w := &walk{opt: opt, std: std, in: keyboard(std), value: map[string]any{}, kept: map[string]any{}}
	w.buf = bufio.NewReader(w.in)
	if err := w.open(ctx); err != nil {
		return err
	}
	if err := w.ask(ctx); err != nil {
		return errors.Join(w.ended(err), w.keep(false))
	}
	if err := w.finish(ctx); err != nil {
		return errors.Join(w.ended(err), w.keep(true))
	}
	return nil
}

// ended says that there is no draft, whatever the reason.
func (w *walk) ended(err error) error { return fmt.Errorf("%w: %w", errNotDrafted, err) }

// open reads all that the walk needs, before anybody is asked anything.
func (w *walk) open(ctx context.Context) error {
	if err := w.free(); err != nil {
		return err
	}
	if w.opt.subjectKey != "" {
		key, err := keyfile.ReadSubjectKey(w.opt.subjectKey)
		if err != nil {
			return err
		}
		w.key = &key
	}
	if err := w.readOffers(ctx); err != nil {
		return err
	}
	if w.opt.resume != "" {
		s, err := readSheet(w.opt.resume)
		if err != nil {
			return err
		}
		if err := w.resume(s); err != nil {
			return err
		}
	}
	if w.opt.origin == "" {
		return nil // it is asked for
	}
	unset(w.kept, "ledger")
	return w.take("ledger", w.opt.origin)
}

// free refuses to begin where the draft can't be written, or where answers that
// were kept would be written over.
func (w *walk) free() error {
	if _, err := os.Stat(w.opt.out); err == nil {
		return fmt.Errorf("%s exists: name another file, for a draft may hold signatures", w.opt.out)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	kept, err := os.Stat(w.answers())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if resumed, err := os.Stat(w.opt.resume); err == nil && os.SameFile(kept, resumed) {
		return nil
	}
	return fmt.Errorf("%s holds answers that were kept: go on with --continue %s, or delete it", w.answers(), w.answers())
}

// resume takes a sheet of earlier answers: what the walk asks for is taken when
// its turn comes, the rest stays as it is.
func (w *walk) resume(s *sheet) error {
	if err := s.payload(&record.Decision{}, record.TypeDecision, w.opt.origin); err != nil {
		return err
	}
	delete(s.value, "type")
	rest := maps.Clone(clone(s.value).(map[string]any))
	for _, q := range questions {
		if v := get(rest, q.member); v != nil {
			set(w.kept, q.member, v)
			unset(rest, q.member)
		}
	}
	if err := check(rest); err != nil {
		return s.explain(err)
	}
	w.value = rest
	return nil
}

// ask asks all questions, in their order.
func (w *walk) ask(ctx context.Context) error {
	for i := 0; i < len(questions); {
		var back *again
		switch err := w.question(ctx, &questions[i]); {
		case errors.As(err, &back):
			w.say("  %s", back.why)
			unset(w.value, back.member)
			i = slices.IndexFunc(questions, func(q question) bool { return q.member == back.member })
		case err != nil:
			return err
		default:
			i++
		}
	}
	return nil
}

// question takes the answer to q: the one that was kept, or what is typed, asked
// for until it is right.
func (w *walk) question(ctx context.Context, q *question) error {
	if q.find != nil {
		return w.found(ctx, q)
	}
	if v := get(w.kept, q.member); v != nil {
		unset(w.kept, q.member)
		err := w.recall(ctx, q, v)
		var bad wrong
		if !errors.As(err, &bad) {
			return err
		}
		w.say("  %s: what was kept can't stay: %s", q.member, bad)
	}
	if q.applies != nil && !q.applies(w) {
		return nil
	}
	for {
		v, err := w.answer(ctx, q)
		if err == nil && v == nil {
			return nil // left out
		}
		if err == nil {
			err = w.take(q.member, v)
		}
		var bad wrong
		if !errors.As(err, &bad) {
			return err
		}
		w.say("  %s", bad)
	}
}

// found takes what nobody is asked for. What was kept stays if nothing is found.
func (w *walk) found(ctx context.Context, q *question) error {
	kept := get(w.kept, q.member)
	unset(w.kept, q.member)
	v, err := q.find(ctx, w)
	if err != nil {
		return err
	}
	if v == nil {
		v = kept
	}
	if v == nil {
		return nil
	}
	err = w.take(q.member, v)
	var bad wrong
	if errors.As(err, &bad) {
		w.say("  %s: what was kept can't stay: %s", q.member, bad)
		return nil
	}
	return err
}

// recall takes an answer that was kept.
func (w *walk) recall(ctx context.Context, q *question, v any) error {
	text, isText := v.(string)
	if q.choices != nil && !q.several && !(q.member == "emergency/harm" && len(w.offers) == 0) && !slices.Contains(q.choices(w), text) {
		return wrong(telling.Plain(text) + " is none of those to choose from")
	}
	if isText && q.read != nil {
		read, err := q.read(ctx, w, text)
		if err != nil {
			return err
		}
		v = read
	} else if q.member == "grounds" {
		if err := w.recallGrounds(v); err != nil {
			return err
		}
	}
	if err := w.take(q.member, v); err != nil {
		return err
	}
	if isText && !q.long {
		w.say("%s: %s", q.member, telling.Plain(text))
	} else {
		w.say("%s: as it was kept", q.member)
	}
	return nil
}

// take sets a member if the decision may have it.
func (w *walk) take(member string, v any) error {
	with := clone(w.value).(map[string]any)
	set(with, member, v)
	if err := check(with); err != nil {
		return wrong(explainAnswer(err))
	}
	w.value = with
	return nil
}

// answer asks q once. It returns nil if the member is left out.
func (w *walk) answer(ctx context.Context, q *question) (any, error) {
	w.say("\n%s", q.prompt)
	if q.about != nil {
		w.say("%s", strings.TrimRight(q.about(w), "\n"))
	}
	if q.long {
		return w.text(ctx, q)
	}
	var choices []string
	if q.choices != nil {
		choices = q.choices(w)
		for i, c := range choices {
			w.say("  %d  %s", i+1, c)
		}
	}
	fallback := ""
	if q.fallback != nil {
		fallback = q.fallback(w)
	}
	prompt := q.member
	if fallback != "" {
		prompt += " [" + telling.Plain(fallback) + "]"
	}
	text, err := w.line(ctx, prompt+"> ")
	if err != nil {
		return nil, err
	}
	if text == "" {
		text = fallback
	}
	if text == "" && q.optional != nil && q.optional(w) {
		return nil, nil
	}
	if text == "" {
		return nil, wrong(q.member + " can't be left out here")
	}
	if q.several {
		return chooseSome(text, choices)
	}
	if choices != nil {
		if text, err = choose(text, choices); err != nil {
			return nil, err
		}
	}
	if q.read == nil {
		return text, nil
	}
	return q.read(ctx, w, text)
}

// line reads a line, without white space around it.
func (w *walk) line(ctx context.Context, prompt string) (string, error) {
	text, err := w.rawLine(ctx, prompt)
	return strings.TrimSpace(text), err
}

// rawLine reads a line as it is typed.
func (w *walk) rawLine(ctx context.Context, prompt string) (string, error) {
	text, err := ask(ctx, w.in, prompt, w.std, func() (string, error) { return w.buf.ReadString('\n') })
	if errors.Is(err, io.EOF) {
		fmt.Fprintln(w.std.Err)
		return "", errors.New("the input ended")
	}
	return text, err
}

func (w *walk) say(format string, args ...any) { fmt.Fprintf(w.std.Err, format+"\n", args...) }

// finish shows the decision, asks, and writes the draft.
func (w *walk) finish(ctx context.Context) error {
	s := &sheet{name: w.answers(), value: clone(w.value).(map[string]any), lines: map[string]int{"": 1}}
	if err := s.pseudonym(w.opt.subjectKey); err != nil {
		return err
	}
	p := &record.Decision{}
	if err := s.payload(p, record.TypeDecision, ""); err != nil {
		return err
	}
	u, err := record.NewDraft(p)
	if err != nil {
		return s.explain(err)
	}
	fmt.Fprintf(w.std.Out, "\n%s\n", describe(u, nil, cited{precedents: shownIn(w.like)}))
	answer, err := w.line(ctx, "Write this draft to "+w.opt.out+"? [y/N] ")
	if err != nil {
		return err
	}
	if a := strings.ToLower(answer); a != "y" && a != "yes" {
		return errors.New("you did not want it")
	}
	return writeDraft(p, w.opt.out, "as many deciders as the clause says", w.std)
}

func (w *walk) answers() string { return w.opt.out + answersEnding }

// keep writes the answers so far and says how to go on; whole says that they are
// a decision.
func (w *walk) keep(whole bool) error {
	all := clone(w.value).(map[string]any)
	for _, q := range questions {
		if v := get(w.kept, q.member); v != nil && get(all, q.member) == nil {
			set(all, q.member, v)
		}
	}
	if len(all) == 0 {
		return nil
	}
	if err := replaceFile(w.answers(), writeSheet(all), 0o600); err != nil {
		return err
	}
	flags := []string{"docket", "decide"}
	if !whole {
		flags = append(flags, "--continue")
	}
	flags = append(flags, w.answers())
	add := func(name, value string) {
		if value != "" {
			flags = append(flags, name, value)
		}
	}
	if !whole {
		add("--from", w.opt.from)
		for _, f := range w.opt.policies {
			add("--policy-record", f)
		}
	}
	add("--subject-key", w.opt.subjectKey)
	add("--out", w.opt.out)
	for i, f := range flags {
		flags[i] = shellWord(f)
	}
	w.say("docket: the answers are kept in %s; continue with\n  %s", w.answers(), strings.Join(flags, " "))
	return nil
}

// shellWord quotes what a shell would not take as one word.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
