// Package cli is what Docket's programs share: exit codes, flags, usage, and
// manners at a terminal.
//
// Exit codes are part of the interface of every program:
//
//	0  it holds, or is done
//	1  it does not hold, or was refused; also a file that does not parse
//	2  wrong usage
//	3  could not find out: no answer, no permission, no room
//
// Answers go to standard output, talk to standard error with the program's name.
package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
)

// Streams are where a program reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Terminal reports whether Out is a terminal that a person looks at.
func (s Streams) Terminal() bool {
	f, ok := s.Out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat() // no module for it: this is linked into docket-verify
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// A codedError has an exit code other than 1.
type codedError struct {
	error
	code int
	help string // the command whose -h tells more
}

func (e codedError) Unwrap() error { return e.error }

// Usage marks an error of whoever called the program: exit code 2.
func Usage(err error) error { return codedError{error: err, code: 2} }

// Unknown marks that the program could not find out: exit code 3.
func Unknown(err error) error { return codedError{error: err, code: 3} }

// errSilent has been told already.
var errSilent = errors.New("")

// DoesNotHold ends a program with exit code 1 after it has told why.
func DoesNotHold() error { return errSilent }

// Code returns the exit code for what a program returned: 0 for nil, 2 for
// Usage, 3 for Unknown and for the end of a context, 1 for every other error.
func Code(err error) int {
	var coded codedError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &coded):
		return coded.code
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return 3
	}
	return 1
}

// Main runs a program and returns its exit code. The context ends with the first
// SIGINT or SIGTERM; the second one ends the process.
func Main(name string, run func(ctx context.Context, args []string, std Streams) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], Streams{os.Stdin, os.Stdout, os.Stderr})
	if err != nil && !errors.Is(err, errSilent) && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		var coded codedError
		if errors.As(err, &coded) && coded.code == 2 {
			fmt.Fprintf(os.Stderr, "%s: try %s -h\n", name, cmp.Or(coded.help, name))
		}
	}
	return Code(err)
}

// A Command is one of a program's commands.
type Command struct {
	Name  string // one or two words: "sign", "key new"
	Short string // what it does, in one line
	Run   func(ctx context.Context, args []string, std Streams) error
}

// A Program is a set of commands.
type Program struct {
	Name     string
	About    string // what it is for, in a sentence or two
	Example  string
	Commands []Command
}

// Run runs the command that args name. Without one it is an error of usage, with
// -h, --help or help it prints what there is.
func (p Program) Run(ctx context.Context, args []string, std Streams) error {
	if len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
		if len(args) == 1 || args[0] != "help" {
			p.usage(std.Out)
			return nil
		}
		args = append(slices.Clone(args[1:]), "-h")
	}
	if len(args) == 0 {
		p.usage(std.Err)
		return Usage(errors.New("which command?"))
	}
	for words := min(2, len(args)); words > 0; words-- {
		for _, c := range p.all() {
			if c.Name != strings.Join(args[:words], " ") {
				continue
			}
			err := c.Run(ctx, args[words:], std)
			var help helpError
			if errors.As(err, &help) {
				fmt.Fprintf(std.Out, "%s %s: %s\n\n%s", p.Name, c.Name, c.Short, help.text)
				return nil
			}
			if Code(err) == 2 {
				return codedError{err, 2, p.Name + " " + c.Name}
			}
			return err
		}
	}
	return Usage(p.unknown(args))
}

// all are the commands of a program and those that every program has.
func (p Program) all() []Command {
	return append(slices.Clone(p.Commands),
		Command{Name: "completion", Short: "prints a completion script for a shell", Run: p.completion},
		Command{Name: "man", Short: "writes man pages into a directory", Run: p.man})
}

func (p Program) usage(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n\nUsage:\n", p.Name, p.About)
	for _, c := range p.all() {
		fmt.Fprintf(w, "  %s %-15s %s\n", p.Name, c.Name, c.Short)
	}
	fmt.Fprintf(w, "\nExample:\n  %s\n\nExit codes: 0 holds or done, 1 does not hold or refused, 2 usage, 3 could not find out.\n%s COMMAND -h tells more.\n",
		p.Example, p.Name)
}

func (p Program) unknown(args []string) error {
	var names []string
	for _, c := range p.Commands {
		if first, _, two := strings.Cut(c.Name, " "); two && first == args[0] {
			names = append(names, c.Name)
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("%q alone is no command: want %s", args[0], strings.Join(names, ", "))
	}
	for _, c := range p.all() {
		names = append(names, c.Name)
	}
	return fmt.Errorf("unknown command %q%s", args[0], Suggest(args[0], names))
}

// Suggest returns "; did you mean …?" if one of names is close to word, else "".
func Suggest(word string, names []string) string {
	best, close := "", 3
	for _, n := range names {
		if d := distance(strings.ToLower(word), strings.ToLower(n)); d < close && d < len(n) {
			best, close = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Version returns the command of a program that prints what was built.
func Version(name string) Command {
	return Command{Name: "version", Short: "prints version and build", Run: func(_ context.Context, args []string, std Streams) error {
		flags := Flags(name + " version")
		if err := flags.ParseArgs(args, 0, 0, "", name+" version"); err != nil {
			return err
		}
		info, ok := debug.ReadBuildInfo()
		if !ok {
			return Unknown(errors.New("this program was built without build information"))
		}
		_, err := fmt.Fprintf(std.Out, "%s %s\nrevision %s\n%s\n", info.Main.Path, info.Main.Version, revision(info), info.GoVersion)
		return err
	}}
}

// Build returns the version and revision of this program, "unknown" if it was built
// without them.
func Build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version + " " + revision(info)
}

func revision(info *debug.BuildInfo) string {
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "unknown"
}
