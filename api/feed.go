package api

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// feedLength is how many decisions are in the feed.
const feedLength = 50

// An atomFeed is an Atom feed (RFC 4287).
type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	Title   string      `xml:"title"`
	ID      string      `xml:"id"`
	Updated string      `xml:"updated"`
	Author  string      `xml:"author>name"`
	Links   []atomLink  `xml:"link"`
	Entries []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr,omitempty"`
	Type string `xml:"type,attr,omitempty"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	Title   string     `xml:"title"`
	ID      string     `xml:"id"`
	Updated string     `xml:"updated"`
	Links   []atomLink `xml:"link"`
	Summary string     `xml:"summary"`
}

// feed answers with the newest decisions.
func (s *server) feed(w *response, r *http.Request) error {
	q := index.Query{Where: map[index.Field][]string{index.Type: {string(record.TypeDecision)}}}
	found, err := s.lookup.Search(r.Context(), q, ledger.Page{Limit: feedLength})
	if err != nil {
		return err
	}
	info, err := s.ledger.Info(r.Context())
	if err != nil {
		return err
	}
	terms, err := s.ledger.Terms(r.Context())
	if err != nil {
		return err
	}
	url := s.url(r)
	f := atomFeed{Title: "Decisions of " + telling.Plain(terms.Operator), ID: url + "/feed.atom", Author: telling.Plain(terms.Operator),
		Updated: stamp(0), Links: []atomLink{{Rel: "self", Type: "application/atom+xml", Href: url + "/feed.atom"}, {Rel: "alternate", Type: "text/html", Href: url + "/"}}}
	for i, h := range found.Items {
		if h.Payload == nil {
			continue
		}
		if i == 0 {
			f.Updated = signedAt(h)
		}
		f.Entries = append(f.Entries, feedEntry(h, info.Origin, url))
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	if err := xml.NewEncoder(&b).Encode(f); err != nil {
		return fmt.Errorf("encode the feed: %w", err)
	}
	w.Header().Set("Cache-Control", fresh)
	return replyConditional(w, r, "application/atom+xml; charset=utf-8", tag(b.Bytes()), b.Bytes())
}

// feedEntry is a decision in the feed. Its id does not change with the address of the
// ledger.
func feedEntry(h index.Hit, origin, url string) atomEntry {
	e := atomEntry{Title: telling.Plain(telling.Summary(h.Payload)), ID: "urn:docket:" + origin + ":" + string(h.ID), Updated: signedAt(h),
		Links: []atomLink{{Rel: "alternate", Type: "text/html", Href: url + "/records/" + string(h.ID)}}}
	if d, ok := h.Payload.(*record.Decision); ok {
		e.Summary = telling.Plain(d.Reasons)
	}
	if !h.Standing.Effective() {
		e.Title = "Void: " + e.Title
	}
	return e
}

// signedAt is when a record was signed last, as its signers say.
func signedAt(h index.Hit) string {
	newest := int64(0)
	for _, s := range h.Headers {
		newest = max(newest, s.IAT)
	}
	return stamp(newest)
}

func stamp(at int64) string { return time.Unix(at, 0).UTC().Format(time.RFC3339) }
