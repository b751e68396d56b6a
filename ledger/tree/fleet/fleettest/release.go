//go:build fleet

package fleettest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// lockFile is below what the signers elect their master.
const lockFile = "/docket"

// Release has etcd forget what a part that has ended was elected for, so that the
// next signer need not wait for the lease to end. It returns for how many trees.
// An operator does the same with etcdctl, see docs/operations.md.
func (f *Fleet) Release(pid int) (int, error) {
	type kv struct {
		Key   []byte `json:"key"`
		Value []byte `json:"value,omitempty"`
	}
	var list struct {
		KVs []kv `json:"kvs"`
	}
	end := lockFile[:len(lockFile)-1] + string(lockFile[len(lockFile)-1]+1)
	if err := f.etcd("range", map[string][]byte{"key": []byte(lockFile), "range_end": []byte(end)}, &list); err != nil {
		return 0, err
	}
	released := 0
	for _, kv := range list.KVs {
		if !strings.HasSuffix(string(kv.Value), fmt.Sprintf(".%d", pid)) { // HOST.PID
			continue
		}
		if err := f.etcd("deleterange", map[string][]byte{"key": kv.Key}, &struct{}{}); err != nil {
			return released, err
		}
		released++
	}
	return released, nil
}

// etcd calls its key-value API.
func (f *Fleet) etcd(method string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.Post("http://"+f.Etcd+"/v3/kv/"+method, "application/json", bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd %s: %s", method, r.Status)
	}
	return json.NewDecoder(r.Body).Decode(out)
}

// Master returns the name and the process of the signer that was elected for a
// tree, "" if none is.
func (f *Fleet) Master(id int64) (string, int, error) {
	var list struct {
		KVs []struct {
			Value []byte `json:"value"`
		} `json:"kvs"`
	}
	prefix := fmt.Sprintf("%s/%d/", lockFile, id)
	err := f.etcd("range", map[string]any{"key": []byte(prefix), "range_end": []byte(prefix[:len(prefix)-1] + "0"),
		"sort_order": "ASCEND", "sort_target": "CREATE", "limit": 1}, &list)
	if err != nil || len(list.KVs) == 0 {
		return "", 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, p := range f.parts {
		if p.cmd != nil && strings.HasSuffix(string(list.KVs[0].Value), fmt.Sprintf(".%d", p.cmd.Process.Pid)) {
			return name, p.cmd.Process.Pid, nil
		}
	}
	return "", 0, nil
}
