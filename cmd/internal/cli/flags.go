package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// A FlagSet is the flags of one command. Flags may stand before and after
// arguments; -- ends them.
type FlagSet struct {
	*flag.FlagSet
	name string
	args []string
}

// Flags returns a FlagSet without flags; name is the command as it is called.
func Flags(name string) *FlagSet {
	f := &FlagSet{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), name: name}
	f.SetOutput(io.Discard)
	f.FlagSet.Usage = func() {}
	return f
}

// helpError asks for the help of a command, and has it.
type helpError struct {
	text          string
	what, example string
	flags         []flagHelp
}

// flagHelp is what is said of a flag; value names what it takes, "" for none.
type flagHelp struct{ name, value, usage string }

// dashed lists the flags as they are typed.
func (e helpError) dashed() (all []string) {
	for _, f := range e.flags {
		all = append(all, "--"+f.name)
	}
	return all
}

func (e helpError) Error() string { return "help asked for" }
func (e helpError) Unwrap() error { return flag.ErrHelp }

// ParseArgs parses a command line that has from min to max arguments besides the
// flags; max < 0 means any number. what names the arguments, as in "FILE...",
// and example is shown by -h. The error is one of usage, or asks for the help
// that Program.Run then prints.
func (f *FlagSet) ParseArgs(args []string, minArgs, maxArgs int, what, example string) error {
	err := f.permute(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return f.helpFor(what, example)
	case err != nil:
		return Usage(f.explain(err))
	case len(f.args) < minArgs:
		return Usage(fmt.Errorf("%s is missing", strings.TrimSuffix(what, "...")))
	case maxArgs >= 0 && len(f.args) > maxArgs:
		return Usage(fmt.Errorf("unexpected argument %q", f.args[maxArgs]))
	}
	return nil
}

// permute parses flags wherever they stand.
func (f *FlagSet) permute(args []string) error {
	for len(args) > 0 {
		if err := f.FlagSet.Parse(args); err != nil {
			return err
		}
		rest := f.FlagSet.Args()
		if ended := len(args) - len(rest); ended > 0 && args[ended-1] == "--" {
			f.args = append(f.args, rest...)
			return nil
		}
		if len(rest) == 0 {
			return nil
		}
		f.args = append(f.args, rest[0])
		args = rest[1:]
	}
	return nil
}

// Args returns the arguments that are not flags.
func (f *FlagSet) Args() []string { return f.args }

// Arg returns argument i, or "".
func (f *FlagSet) Arg(i int) string {
	if i < 0 || i >= len(f.args) {
		return ""
	}
	return f.args[i]
}

// NArg returns how many arguments there are.
func (f *FlagSet) NArg() int { return len(f.args) }

// Require returns an error of usage if a flag that is named was not given.
func (f *FlagSet) Require(names ...string) error {
	given := map[string]bool{}
	f.Visit(func(g *flag.Flag) { given[g.Name] = g.Value.String() != "" || given[g.Name] })
	for _, n := range names {
		if !given[n] {
			return Usage(fmt.Errorf("--%s is missing", n))
		}
	}
	return nil
}

func (f *FlagSet) explain(err error) error {
	const unknown = "flag provided but not defined: -"
	name, ok := strings.CutPrefix(err.Error(), unknown)
	if !ok {
		return err
	}
	var names []string
	f.VisitAll(func(g *flag.Flag) { names = append(names, g.Name) })
	return fmt.Errorf("unknown flag --%s%s", name, Suggest(name, names))
}

func (f *FlagSet) helpFor(what, example string) helpError {
	e := helpError{text: f.help(what, example), what: what, example: example}
	f.VisitAll(func(g *flag.Flag) {
		value, usage := flag.UnquoteUsage(g)
		e.flags = append(e.flags, flagHelp{g.Name, value, usage})
	})
	return e
}

func (f *FlagSet) help(what, example string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s", f.name)
	flags := false
	f.VisitAll(func(*flag.Flag) { flags = true })
	if flags {
		b.WriteString(" [flags]")
	}
	if what != "" {
		b.WriteString(" " + what)
	}
	b.WriteString("\n")
	if flags {
		b.WriteString("\nFlags:\n")
	}
	f.VisitAll(func(g *flag.Flag) {
		value, usage := flag.UnquoteUsage(g)
		name := "--" + g.Name
		if value != "" {
			name += " " + strings.ToUpper(value)
		}
		fmt.Fprintf(&b, "  %-26s %s", name, usage)
		if g.DefValue != "" && g.DefValue != "false" && g.DefValue != "0" {
			fmt.Fprintf(&b, " (default %s)", g.DefValue)
		}
		b.WriteString("\n")
	})
	fmt.Fprintf(&b, "\nExample:\n  %s\n", example)
	return b.String()
}
