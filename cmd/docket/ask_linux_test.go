package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify/record"
)

// openPTY returns the end of a new pseudo-terminal that a program sees.
func openPTY(t *testing.T) *os.File {
	t.Helper()
	program, _ := openTerminal(t)
	return program
}

// openTerminal returns both ends of a new pseudo-terminal: that of a program, and
// that of the person who types.
func openTerminal(t *testing.T) (program, person *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	var unlocked, number int32
	control(t, person, syscall.TIOCSPTLCK, unsafe.Pointer(&unlocked))
	control(t, person, syscall.TIOCGPTN, unsafe.Pointer(&number))
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return program, person // a question that nobody answered still reads it
}

func control(t *testing.T, f *os.File, request uintptr, arg unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		t.Fatal(errno)
	}
}

// echoes reports whether a terminal shows what is typed.
func echoes(t *testing.T, f *os.File) bool {
	t.Helper()
	var state syscall.Termios
	control(t, f, syscall.TCGETS, unsafe.Pointer(&state))
	return state.Lflag&syscall.ECHO != 0
}

// listener hears what a program says, and does something once it says a word.
type listener struct {
	mu   sync.Mutex
	said bytes.Buffer
	word string
	then func()
}

func (l *listener) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said.Write(p)
	if l.then != nil && strings.Contains(l.said.String(), l.word) {
		time.AfterFunc(100*time.Millisecond, l.then) // when it waits for the answer
		l.then = nil
	}
	return len(p), nil
}

// TestInterrupted: Ctrl-C at a question leaves a terminal that shows what is
// typed, and nothing signed.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	key, err := keyfile.New(keyfile.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	for name, passphrase := range map[string]string{"secret.jwk": "pw", "plain.jwk": ""} {
		if err := keyfile.Write(file(name), key, []byte(passphrase)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := readDecision(t, exampleDecision(now))
	if err != nil {
		t.Fatal(err)
	}
	u, err := record.NewDraft(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file("d.draft"), u.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, vkey := newSigner(t)
	jwk, err := record.NewJWK(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	memory, err := client.OpenMemory(file("plain.jwk"+client.MemoryEnding), jwk.KID())
	if err != nil {
		t.Fatal(err)
	}
	own := memory.Ledger(origin)
	own.VKey, own.Checkpoint = vkey, string(staticLog(t, signer, "a")["checkpoint"])
	if err := memory.Save(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file("plain.jwk" + client.MemoryEnding))
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct{ args, question string }{
		{"key show " + file("secret.jwk"), "Passphrase of "},
		{"key new --out " + file("new.jwk"), "New passphrase: "},
		{"sign " + file("d.draft") + " --key " + file("secret.jwk"), "Passphrase of "},
		{"sign " + file("d.draft") + " --key " + file("plain.jwk"), "Sign this? "},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		terminal := openPTY(t)
		heard := &listener{word: c.question, then: cancel}
		err := run(ctx, strings.Fields(c.args), cli.Streams{In: terminal, Out: &bytes.Buffer{}, Err: heard})
		if code := cli.Code(err); code != 3 || heard.then != nil {
			t.Errorf("%s: exit code %d (%v), asked: %v; want 3", c.args, code, err, heard.then == nil)
		}
		if !echoes(t, terminal) {
			t.Errorf("%s: what is typed is not shown any more", c.args)
		}
		cancel()
	}
	if b, err := os.ReadFile(file("d.draft")); err != nil || !bytes.Equal(b, u.Bytes()) {
		t.Errorf("the draft was changed (%v)", err)
	}
	if b, err := os.ReadFile(file("plain.jwk" + client.MemoryEnding)); err != nil || !bytes.Equal(b, before) {
		t.Errorf("a number was used (%v)", err)
	}
	if _, err := os.Stat(file("new.jwk")); err == nil {
		t.Error("a key was made")
	}
}
