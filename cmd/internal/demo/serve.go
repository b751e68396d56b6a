package demo

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/ledger/drafts"
)

// drainTime is how long requests that run may take to end.
const drainTime = 5 * time.Second

// serve serves the ledger until the context ends, and says how to use it.
func (t *teller) serve(l net.Listener) error {
	url := "http://" + l.Addr().String()
	t.say("")
	t.say("Serving it at %s until Ctrl-C. Read it in a browser, or decide something yourself:", url)
	t.say("   docket show %s --ledger %s", t.named(emergencyName).ID, url)
	t.say("   docket decide %s --subject-key %s --out my.draft", t.path("decision.yaml"), t.path("keys", "subject.key"))
	t.say("   docket sign my.draft --key %s --ledger %s   (then reviewer.jwk)", t.path("keys", "archivist.jwk"), url)
	t.say("   docket submit my.draft --ledger %s --policy %s", url, t.path("trust.policy"))
	terms, err := t.ledger.Terms(t.ctx)
	if err != nil {
		return err
	}
	waiting, err := drafts.Open(drafts.Config{Dir: t.path("ledger", "drafts"),
		Life: func() time.Duration { return time.Duration(terms.DraftLife) * time.Hour }})
	if err != nil {
		return cli.Unknown(err)
	}
	opt := api.Options{Drafts: waiting}
	if t.index != nil {
		opt.Index = t.index
	}
	server := api.Server(api.New(t.ledger, opt), nil)
	asked, err := t.ask()
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return errors.Join(cli.Unknown(err), asked.end())
	case <-t.ledger.Halted():
	case <-t.ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	return errors.Join(server.Shutdown(drain), asked.end())
}
