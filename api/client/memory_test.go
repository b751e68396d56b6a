package client_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/api/client"
)

const origin = "ledger.test.example/2026"

func TestMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "key.state")
	open := func() *client.Memory {
		t.Helper()
		m, err := client.OpenMemory(path, "kid")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m, late := open(), open()
	if got := m.Ledger(origin).NextSeq; got != 1 {
		t.Errorf("the first number is %d, want 1", got)
	}
	m.Ledger(origin).NextSeq = 7
	for range 2 { // the second time nothing has changed
		if err := m.Save(); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	again := open()
	if again.Ledger(origin).NextSeq != 7 || again.Ledger("other").NextSeq != 1 || strings.Join(again.Origins(), " ") != origin {
		t.Errorf("read back %+v of %v", again.Ledger(origin), again.Origins())
	}
	late.Ledger(origin).NextSeq = 2
	if err := late.Save(); !errors.Is(err, client.ErrMemoryUsed) {
		t.Errorf("a memory that was read before another write was written: %v", err)
	}
	if open().Ledger(origin).NextSeq != 7 {
		t.Error("it was changed all the same")
	}
	if _, err := client.OpenMemory(path, "another"); err == nil {
		t.Error("the memory of another key was taken")
	}
	for _, damaged := range []string{"{", "", "[]", `{"v":2,"kid":"kid","ledgers":{}}`, `{"v":1,"kid":"kid","ledgers":{},"more":1}`, `{"v":1,"kid":"kid","ledgers":{"x":null}}`} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := client.OpenMemory(path, "kid"); err == nil {
			t.Errorf("%q was taken for a memory", damaged)
		}
	}

	fleeting, err := client.OpenMemory("", "")
	if err != nil {
		t.Fatal(err)
	}
	fleeting.Ledger(origin).NextSeq = 3
	if err := fleeting.Save(); err != nil || fleeting.Ledger(origin).NextSeq != 3 {
		t.Errorf("without a file: %v", err)
	}
}
