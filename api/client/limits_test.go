package client_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/verify"
)

// TestFileLimits: no file of a log is read further than such a file can be long,
// whether or not the server says before how long it is.
func TestFileLimits(t *testing.T) {
	size, says := 0, false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if says {
			w.Header().Set("Content-Length", strconv.Itoa(size))
		} else {
			w.(http.Flusher).Flush()
		}
		w.Write(make([]byte, size))
	}))
	defer server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for path, most := range map[string]int{
		"checkpoint":           verify.MaxNote,
		"tile/0/000":           8192,
		"tile/3/x001/234.p/17": 8192, // a longer tile is told from a wrong one
		"tile/entries/000":     256 * 65537,
		"tile/entries/000.p/7": 7 * 65537,
	} {
		for _, says = range []bool{false, true} {
			for _, more := range []int{0, 1} {
				size = most + more
				b, err := c.ReadFile(t.Context(), path)
				if (err == nil) != (size == most) || err == nil && len(b) != size || err != nil && !client.Lasting(err) {
					t.Errorf("%s of %d bytes: %d bytes, %v; the most is %d", path, size, len(b), err, most)
				}
			}
		}
	}
}
