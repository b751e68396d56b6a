package web

import "net/http"

// Check is the page that checks receipts and case files in the browser. The server
// sees none of them.
func (p *Pages) Check(w http.ResponseWriter, r *http.Request) error {
	return p.render(w, r, http.StatusOK, "check.html", nil)
}
