package client_test

import (
	"errors"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/verify"
)

// TestLogKeySucceeds: who pinned the old key follows up to the handover, is told
// that the key is another one after that, and goes on with what was remembered once
// a policy names the new key.
func TestLogKeySucceeds(t *testing.T) {
	old, oldKey := newSigner(t)
	heir, newKey := newSigner(t)
	before, after := staticLog(t, old, "a", "b"), staticLog(t, heir, "a", "b", "c")
	handover := maps.Clone(before)
	cp := verify.Checkpoint{Origin: origin, Size: 2}
	s, err := pin(t, oldKey).Open(before["checkpoint"])
	if err != nil {
		t.Fatal(err)
	}
	cp.Root = s.Checkpoint.Root
	if handover["checkpoint"], err = cp.Sign(old, heir); err != nil {
		t.Fatal(err)
	}
	memory := filepath.Join(t.TempDir(), "me"+client.MemoryEnding)
	head := func(files map[string][]byte, policy *verify.Policy) error {
		t.Helper()
		server := httptest.NewServer(serveFiles(files))
		defer server.Close()
		_, err := follower(t, server.URL, policy, memory).Head(t.Context())
		return err
	}
	if err := head(before, pin(t, oldKey)); err != nil {
		t.Fatal(err)
	}
	if err := head(handover, nil); err != nil {
		t.Errorf("at the handover: %v", err)
	}
	if err := head(after, nil); !errors.Is(err, verify.ErrUnknownLog) || !errors.Is(err, client.ErrUnproven) {
		t.Errorf("after the handover with the old key: %v", err)
	}
	forged := staticLog(t, heir, "a", "x", "c")
	if err := head(forged, pin(t, newKey)); !errors.Is(err, client.ErrSplit) {
		t.Errorf("another history under the new key: %v", err)
	}
	if err := head(after, pin(t, newKey)); err != nil {
		t.Errorf("with the new key: %v", err)
	}
	if err := head(after, nil); err != nil {
		t.Errorf("with the new key that is remembered: %v", err)
	}
	if err := head(before, nil); !errors.Is(err, verify.ErrUnknownLog) {
		t.Errorf("a checkpoint of the old key afterwards: %v", err)
	}
}
