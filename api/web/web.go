// Package web is the public site of a ledger: pages for people, made on the
// server, that need no script, no other host and nothing but what package ledger
// and its index answer.
//
// A page is a method of Pages, in the file of its name: it reads, puts what it
// has into words, and calls render with a template of the same name. An error is
// returned before anything is written; package api makes it a problem, and
// Problem shows that to people. Package api routes, limits and counts requests;
// it sets the variables of a path with http.Request.SetPathValue.
//
// # Texts of records
//
// They are hostile until shown otherwise. Templates escape them, telling.Plain
// makes visible what is hidden in them, and the templates "text" and "name" keep
// each apart from what stands around it, so that no text turns the direction of
// another. No page has a style or a script of its own: the policy of the headers
// forbids both.
package web

import (
	"context"
	"html/template"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/figures"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A Ledger is what pages read. *ledger.Ledger is one; see there for what the
// methods promise. They are called concurrently.
type Ledger interface {
	Record(ctx context.Context, id record.ID) (ledger.Entry, error)
	Entries(ctx context.Context, from int64, limit int) ([]ledger.Entry, error)
	Receipt(ctx context.Context, id record.ID) ([]byte, error)
	Info(ctx context.Context) (ledger.Info, error)
	Terms(ctx context.Context) (record.Terms, error)
	Case(ctx context.Context, name string, from int64, limit int) (ledger.Case, error)
	Stands(ctx context.Context, name string, ids ...record.ID) (ledger.Stands, error)
	Statuses(ctx context.Context, cases map[record.ID]string) (map[record.ID]rules.Decided, error)
	Policies(ctx context.Context, p ledger.Page) (ledger.List[rules.PolicyInfo], error)
	Policy(ctx context.Context, name string) (rules.PolicyInfo, error)
	Keys(ctx context.Context, p ledger.Page) (ledger.List[ledger.Key], error)
	Key(ctx context.Context, kid string) (ledger.Key, error)
	Due(ctx context.Context, at int64) (ledger.Due, error)
}

// An Index is what pages look up. *index.Index is one.
type Index interface {
	Search(ctx context.Context, q index.Query, p ledger.Page) (index.Found, error)
	Count(ctx context.Context, q index.Query, limit int, by ...index.Field) (index.Counts, error)
	Near(ctx context.Context, text string) ([]index.Suggestion, error)
	Lag() index.Lag
}

// A Counter keeps the numbers of the log. *figures.Keeper is one.
type Counter interface {
	Figures(ctx context.Context, least int64) (*figures.Figures, error)
}

// Config is read by New.
type Config struct {
	Ledger  Ledger
	Index   Index
	Figures Counter
	// PublicURL is the URL under which the ledger is reached, for command
	// lines that readers copy. Empty means that of each request.
	PublicURL string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Pages are the pages of a ledger. Their methods may be used concurrently.
type Pages struct {
	ledger    Ledger
	index     Index
	counter   Counter
	publicURL string
	now       func() time.Time
	templates map[string]*template.Template
	due       kept[dueView]
}

// New returns the pages of a ledger.
func New(cfg Config) *Pages {
	p := &Pages{ledger: cfg.Ledger, index: cfg.Index, counter: cfg.Figures, publicURL: cfg.PublicURL, now: cfg.Now, templates: parsed}
	if p.now == nil {
		p.now = time.Now
	}
	return p
}
