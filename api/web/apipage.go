package web

import (
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/docket-ledger/docket/api/openapi"
)

// described is the description of the API, read once.
var described = sync.OnceValues(openapi.Read)

// An apiView is the description of the API for people.
type apiView struct {
	*openapi.Document
	URL string
}

// API is the page that shows the description of the API.
func (p *Pages) API(w http.ResponseWriter, r *http.Request) error {
	d, err := described()
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, "api.html", apiView{d, p.url(r)})
}

// Example is a command that does what an operation describes, "" for those that need more
// than a line.
func (v apiView) Example(o openapi.Operation) string {
	if o.Proof && o.Method != http.MethodPost || strings.HasPrefix(o.Path, "/v1/drafts") || o.Path == "/metrics" || o.Path == "/healthz" || o.Path == "/readyz" {
		return ""
	}
	names := strings.NewReplacer("{id}", "ID", "{case}", "CASE", "{policy}", "POLICY", "{kid}", "KID", "{level}", "0", "{n}/{width}", "000.p/1", "{n}", "000", "{file}", "style.css")
	address := v.URL + names.Replace(o.Path)
	query := url.Values{}
	for _, p := range o.Parameters {
		if p.Required && p.In == "query" {
			query.Set(p.Name, map[string]string{"by": "action", "covers": "0"}[p.Name])
		}
	}
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	switch {
	case o.Method == http.MethodPost:
		return "curl --data-binary @record.jws -H 'Content-Type: " + o.Body[0] + "' " + address
	case o.ID == "stream":
		return "curl -N " + address + "?from=0"
	case o.ID == "search":
		return "curl '" + address + "?q=malware&type=decision'"
	}
	return "curl " + address
}
