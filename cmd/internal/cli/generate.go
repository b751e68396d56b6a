package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What is made from a program's own commands and their help: shell completion
// and man pages. There is no second description of anything.

// page is what one command says of itself.
type page struct {
	Command
	help helpError
}

// pages asks each command for its help.
func (p Program) pages(ctx context.Context) ([]page, error) {
	var all []page
	quiet := Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}
	for _, c := range p.Commands {
		var help helpError
		if err := c.Run(ctx, []string{"-h"}, quiet); !errors.As(err, &help) {
			return nil, fmt.Errorf("%s %s has no help: %v", p.Name, c.Name, err)
		}
		all = append(all, page{c, help})
	}
	return all, nil
}

// shells are those that completion knows.
var shells = []string{"bash", "zsh", "fish"}

// completion prints a script that completes commands and flags.
func (p Program) completion(ctx context.Context, args []string, std Streams) error {
	flags := Flags(p.Name + " completion")
	example := fmt.Sprintf("source <(%s completion bash)\n  %s completion zsh > \"${fpath[1]}/_%s\"\n  %s completion fish > ~/.config/fish/completions/%s.fish",
		p.Name, p.Name, p.Name, p.Name, p.Name)
	if err := flags.ParseArgs(args, 1, 1, "bash|zsh|fish", example); err != nil {
		return err
	}
	if !slices.Contains(shells, flags.Arg(0)) {
		return Usage(fmt.Errorf("%q is no shell known here, want bash, zsh or fish%s", flags.Arg(0), Suggest(flags.Arg(0), shells)))
	}
	pages, err := p.pages(ctx)
	if err != nil {
		return err
	}
	script := map[string]func([]page) string{"bash": p.bash, "zsh": p.zsh, "fish": p.fish}[flags.Arg(0)](pages)
	_, err = io.WriteString(std.Out, script)
	return err
}

// words are the first words of the commands, and the second words by the first.
func words(pages []page) (first []string, second map[string][]string) {
	second = map[string][]string{}
	for _, c := range pages {
		one, two, _ := strings.Cut(c.Name, " ")
		if !slices.Contains(first, one) {
			first = append(first, one)
		}
		if two != "" {
			second[one] = append(second[one], two)
		}
	}
	return first, second
}

func (p Program) bash(pages []page) string {
	var b strings.Builder
	name := "_" + strings.ReplaceAll(p.Name, "-", "_")
	first, second := words(pages)
	fmt.Fprintf(&b, "# completion of %s for bash\n%s() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=\n\tcase \"${COMP_WORDS[*]:1:COMP_CWORD-1}\" in\n", p.Name, name)
	fmt.Fprintf(&b, "\t'') words=%q ;;\n", strings.Join(append(first, "completion", "man", "help"), " "))
	for _, one := range first {
		if list := second[one]; len(list) > 0 {
			fmt.Fprintf(&b, "\t%q) words=%q ;;\n", one, strings.Join(list, " "))
		}
	}
	for _, c := range pages {
		fmt.Fprintf(&b, "\t%q*) words=%q ;;\n", c.Name, strings.Join(c.help.dashed(), " "))
	}
	fmt.Fprintf(&b, "\tesac\n\tcase $cur in\n\t-*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"+
		"\t*) COMPREPLY=($(compgen -W \"${words//--*/}\" -- \"$cur\") $(compgen -f -- \"$cur\")) ;;\n\tesac\n}\ncomplete -o filenames -F %s %s\n", name, p.Name)
	return b.String()
}

func (p Program) zsh(pages []page) string {
	return "#compdef " + p.Name + "\nautoload -U +X bashcompinit && bashcompinit\n" + p.bash(pages)
}

func (p Program) fish(pages []page) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# completion of %s for fish\n", p.Name)
	for _, c := range pages {
		one, two, isTwo := strings.Cut(c.Name, " ")
		seen := "__fish_use_subcommand"
		word := one
		if isTwo {
			fmt.Fprintf(&b, "complete -c %s -n __fish_use_subcommand -a %s\n", p.Name, one)
			seen, word = "'__fish_seen_subcommand_from "+one+"'", two
		}
		fmt.Fprintf(&b, "complete -c %s -n %s -a %s -d %s\n", p.Name, seen, word, quoted(c.Short))
		for _, f := range c.help.flags {
			fmt.Fprintf(&b, "complete -c %s -n '__fish_seen_subcommand_from %s' -l %s -d %s\n", p.Name, word, f.name, quoted(f.usage))
		}
	}
	return b.String()
}

// quoted puts a text between single quotes of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// man writes a page for the program and one for each command.
func (p Program) man(ctx context.Context, args []string, std Streams) error {
	flags := Flags(p.Name + " man")
	if err := flags.ParseArgs(args, 1, 1, "DIR", p.Name+" man ~/.local/share/man/man1"); err != nil {
		return err
	}
	pages, err := p.pages(ctx)
	if err != nil {
		return err
	}
	dir := flags.Arg(0)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Unknown(err)
	}
	write := func(name, text string) error {
		if err := os.WriteFile(filepath.Join(dir, name+".1"), []byte(text), 0o644); err != nil {
			return Unknown(err)
		}
		return nil
	}
	if err := write(p.Name, p.roff(pages)); err != nil {
		return err
	}
	for _, c := range pages {
		if err := write(p.Name+"-"+strings.ReplaceAll(c.Name, " ", "-"), c.roff(p.Name)); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(std.Out, "%d pages in %s\n", len(pages)+1, dir)
	return err
}

const exitCodes = "0 holds or done, 1 does not hold or refused, 2 usage, 3 could not find out."

func (p Program) roff(pages []page) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1\n.SH NAME\n%s \\- %s\n.SH COMMANDS\n", strings.ToUpper(p.Name), p.Name, plainRoff(p.About))
	for _, c := range pages {
		fmt.Fprintf(&b, ".TP\n.B %s %s\n%s\n", p.Name, c.Name, plainRoff(c.Short))
	}
	fmt.Fprintf(&b, ".SH EXIT STATUS\n%s\n.SH EXAMPLE\n.nf\n%s\n.fi\n", exitCodes, plainRoff(p.Example))
	return b.String()
}

func (c page) roff(program string) string {
	var b strings.Builder
	name := program + "-" + strings.ReplaceAll(c.Name, " ", "-")
	fmt.Fprintf(&b, ".TH %s 1\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.B %s %s\n[flags] %s\n", strings.ToUpper(name), name, plainRoff(c.Short), program, c.Name, plainRoff(c.help.what))
	if len(c.help.flags) > 0 {
		b.WriteString(".SH OPTIONS\n")
	}
	for _, f := range c.help.flags {
		fmt.Fprintf(&b, ".TP\n.B \\-\\-%s %s\n%s\n", f.name, strings.ToUpper(f.value), plainRoff(f.usage))
	}
	fmt.Fprintf(&b, ".SH EXIT STATUS\n%s\n.SH EXAMPLE\n.nf\n%s\n.fi\n.SH SEE ALSO\n.BR %s (1)\n", exitCodes, plainRoff(c.help.example), program)
	return b.String()
}

// plainRoff escapes what roff would take for its own.
func plainRoff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
