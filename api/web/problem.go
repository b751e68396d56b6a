package web

import (
	"context"
	"net/http"
	"net/url"
	"path"

	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger/index"
)

// A problemView is what the page of a problem shows.
type problemView struct {
	*problem.Problem
	// Heading says in a few words what happened, Advice what to do.
	Heading string
	Advice  string
	// Wanted is the last part of the path of what was not found.
	Wanted string
	Near   []link
}

// A link leads to a page of the site.
type link struct {
	Href string
	Text string
	Note string // in words, what it is
}

// Problem writes the page of a problem, with its status.
func (p *Pages) Problem(w http.ResponseWriter, r *http.Request, pr *problem.Problem) error {
	v := problemView{Problem: pr}
	v.Heading, v.Advice = advise(pr)
	if pr.Status == http.StatusNotFound {
		v.Wanted = path.Base(r.URL.Path)
		if text, err := url.PathUnescape(v.Wanted); err == nil {
			v.Wanted = text
		}
		v.Near = links(pr.Near)
	}
	w.Header().Set("Cache-Control", "no-store")
	s, err := p.site(r.Context(), r)
	if err != nil {
		s = site{URL: p.url(r)} // what is wrong with the ledger is said by the problem
	}
	return p.renderOn(w, r, pr.Status, "problem.html", s, v)
}

// advise says what a problem means for somebody who reads pages.
func advise(pr *problem.Problem) (heading, advice string) {
	switch {
	case pr.Status == http.StatusNotFound:
		return "There is nothing here", "The address may be misspelled or cut off. An id is the letter d, a hyphen and 43 characters; capital and small letters differ. Nothing is ever removed from this ledger, so what was here once is still in it."
	case pr.Status == http.StatusMethodNotAllowed:
		return "This page is only read", "Programs find what can be sent, and where, in the description of the API."
	case pr.Status == http.StatusTooManyRequests:
		return "Too many requests", "Your address asked for more than one address may. Wait a moment and load the page again. Who needs everything copies the log: that is faster, and it has no limit of questions."
	case pr.Status == http.StatusServiceUnavailable:
		return "The ledger can't answer now", "Load the page again in a moment. What is in the ledger is not touched by this: copies of the log, and receipts that you hold, prove it as before."
	case pr.Status >= http.StatusInternalServerError:
		return "Something went wrong on our side", "It was written down, under the number below. Load the page again; if it happens again, tell the operator that number."
	case pr.Code == problem.BadQuery:
		return "This question can't be answered", "Change what is wrong in the address, or begin again from the search."
	}
	return "This did not work", "Go back, or begin again from the first page."
}

// near returns pages whose names are almost like text; none if there are none or
// the index can't tell.
func (p *Pages) near(ctx context.Context, text string) []link {
	const most = 200 // characters; more is no name that was misspelled
	if text == "" || len(text) > most {
		return nil
	}
	found, err := p.index.Near(ctx, text)
	if err != nil {
		return nil // a suggestion is a favour
	}
	return links(Near(found))
}

// Near spells suggestions as problems have them.
func Near(found []index.Suggestion) []problem.Near {
	var all []problem.Near
	for _, one := range found {
		kind := string(one.Field)
		if kind == "id" {
			kind = "record"
		}
		all = append(all, problem.Near{Kind: kind, Value: one.Value})
	}
	return all
}

// links lead to what is suggested.
func links(near []problem.Near) []link {
	folders := map[string]string{"record": "/records/", "case": "/cases/", "policy": "/policies/"}
	var all []link
	for _, one := range near {
		all = append(all, link{folders[one.Kind] + url.PathEscape(one.Value), one.Value, "a " + one.Kind})
	}
	return all
}
