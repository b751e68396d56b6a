package rules_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/docket-ledger/docket/verify/rules"
)

// TestMemoryIsAMap compares a Memory with a map, through growth, values that
// grow and shrink, and rows that go.
func TestMemoryIsAMap(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 2))
		m, want := rules.NewMemory(), map[string][]byte{}
		for range 20000 {
			key := fmt.Sprint("key/", random.IntN(4000))
			size := random.IntN(100)
			if random.IntN(500) == 0 {
				size = random.IntN(200_000)
			}
			value := make([]byte, size)
			for i := range value {
				value[i] = byte(random.Uint32())
			}
			if random.IntN(4) == 0 {
				value = nil
			}
			if err := m.Put(key, value); err != nil {
				t.Fatal(err)
			}
			want[key] = value
			if len(value) == 0 {
				delete(want, key)
			}
			other := fmt.Sprint("key/", random.IntN(4000))
			if got, err := m.Get(other); err != nil || !bytes.Equal(got, want[other]) {
				t.Fatalf("seed %d: %s is %d bytes, %v; want %d", seed, other, len(got), err, len(want[other]))
			}
		}
		same := func(m *rules.Memory) {
			t.Helper()
			got := map[string][]byte{}
			for key, value := range m.All() {
				got[key] = value
			}
			if !maps.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("seed %d: %d rows, want %d", seed, len(got), len(want))
			}
		}
		same(m)
		copied := m.Clone()
		for key := range want {
			if err := m.Put(key, []byte("changed")); err != nil {
				t.Fatal(err)
			}
		}
		same(copied)
	}
	if err := rules.NewMemory().Put("large", make([]byte, 2<<20)); err == nil {
		t.Error("a row of two megabytes was taken")
	}
}

// TestMemoryList: only what begins with the prefix, and an error ends it.
func TestMemoryList(t *testing.T) {
	m := rules.NewMemory()
	for _, key := range []string{"a/1", "a/2", "b/1", "a"} {
		if err := m.Put(key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	if err := m.List("a/", func(key string, value []byte) error {
		keys = append(keys, key)
		return nil
	}); err != nil || !slices.Equal(slices.Sorted(slices.Values(keys)), []string{"a/1", "a/2"}) {
		t.Errorf("listed %v, %v", keys, err)
	}
	if err := m.List("", func(string, []byte) error { return errDisk }); err != errDisk {
		t.Errorf("the error of yield: %v", err)
	}
}

// TestMemoryPerCase states what docs/format.md promises: an auditor keeps at most
// 150 bytes for every case ever opened.
func TestMemoryPerCase(t *testing.T) {
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	const n = 200_000
	base := due(t)
	rows := rules.CaseRows(base.state, base.must(base.does(base.decision("suspend", "use/1/host"), "dan eve")), "case-1")
	before := heap()
	m := rules.NewMemory()
	for i := range n {
		if err := m.Put(fmt.Sprintf("c/case-%07d", i), rows[0]); err != nil {
			t.Fatal(err)
		}
		if err := m.Put(fmt.Sprintf("d/%020d", i), rows[1]); err != nil {
			t.Fatal(err)
		}
	}
	each := float64(heap()-before) / n
	t.Logf("%.1f bytes a case with one decision", each)
	if each > 150 {
		t.Errorf("%.1f bytes a case, the most is 150", each)
	}
	runtime.KeepAlive(m)
}
