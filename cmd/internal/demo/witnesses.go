package demo

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/cmd/internal/witnessing"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/cosign"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/witness"
)

// The witnesses of the story, by their names in policies, and how many of them
// must agree. They run in this process, so they show how it works and prove
// nothing to anybody: real ones are run by others, elsewhere.
var witnessNames = []string{"witness-1", "witness-2", "witness-3"}

const witnessQuorum = 2

// A cosigner is one of the witnesses.
type cosigner struct {
	name  string
	key   verify.VKey
	store *witnessing.Store
	core  *witness.Witness
}

// makeWitnesses gives each witness a key in a file, as docket-mirror witness reads
// it, and a folder for what it cosigned. The log has its key already.
func (s *stage) makeWitnesses() error {
	logs, err := verify.ParsePolicy([]byte("log " + s.vkey + "\nquorum none\n"))
	if err != nil {
		return err
	}
	for _, name := range witnessNames {
		text, vkey, err := witnessing.NewKey(name+".demo.docket.example", false)
		if err != nil {
			return err
		}
		file := s.path("keys", name+".key")
		if err := witnessing.WriteKey(file, text); err != nil {
			return err
		}
		key, err := witnessing.ReadKey(file)
		if err != nil {
			return err
		}
		store, err := witnessing.OpenStore(s.path("witnesses", name))
		if err != nil {
			return err
		}
		s.witnesses = append(s.witnesses, cosigner{name, vkey, store, &witness.Witness{Logs: logs, Cosigners: []verify.Cosigner{key}, Store: store}})
	}
	return nil
}

// closeWitnesses ends their use of their folders.
func (s *stage) closeWitnesses() {
	for _, w := range s.witnesses {
		w.store.Close()
	}
}

// witnessLines are the witness, group and quorum lines of a policy. The URL of a
// witness is url and its name.
func (s *stage) witnessLines(url string) []string {
	var lines []string
	for _, w := range s.witnesses {
		lines = append(lines, "witness "+w.name+" "+w.key.String()+" "+url+w.name+"/")
	}
	return append(lines, fmt.Sprintf("group enough %d %s", witnessQuorum, strings.Join(witnessNames, " ")), "quorum enough")
}

// noWhere begins the URLs of the witnesses in what outlasts this process.
const noWhere = "https://demo.docket.example/"

// witnessedPolicy demands the witnesses as well.
func (s *stage) witnessedPolicy(url string) []byte {
	return []byte("# The log of the demonstration, and two of its three witnesses. They run in the same\n" +
		"# process as the log, so they show how it works and vouch for nothing. Nobody answers at\n" +
		"# their URLs here: docket demo serves them elsewhere, as long as it runs.\n" +
		"log " + s.vkey + "\n" + strings.Join(s.witnessLines(url), "\n") + "\n")
}

// cosigned returns the newest checkpoint of the log, cosigned by all witnesses now,
// each after it has checked that the log has only grown since it was last asked.
func (s *stage) cosigned() ([]byte, error) {
	head := s.ledger.Head()
	size := head.Checkpoint.Size
	r := witness.Request{Old: s.shown, Checkpoint: head.Note}
	if s.shown > 0 {
		var err error
		if r.Proof, err = s.ledger.Consistency(s.ctx, s.shown, size); err != nil {
			return nil, err
		}
	}
	note := string(head.Note)
	for _, w := range s.witnesses {
		a, err := w.core.Add(r.Marshal(), time.Now().Unix())
		if err != nil {
			return nil, err
		}
		if a.Status != witness.OK {
			return nil, fmt.Errorf("%s does not cosign the tree of size %d: %s", w.name, size, a.Body)
		}
		note += a.Body
	}
	s.shown = size
	return []byte(note), nil
}

// timemark lets the witnesses cosign the log, and puts what they say into it: what
// comes later is younger, and what is there already is older. That is logged before
// the ledger hears of the checkpoint, which would log a timemark itself.
func (s *stage) timemark(name string) (ledger.Outcome, error) {
	note, err := s.cosigned()
	if err != nil {
		return ledger.Outcome{}, err
	}
	out, err := s.log(name, &record.Timemark{Checkpoint: string(note)}, machine)
	if err != nil {
		return out, err
	}
	return out, s.ledger.Cosigned(s.ctx, note)
}

// asking is what runs while witnesses are asked over HTTP.
type asking struct {
	server *http.Server
	cancel context.CancelFunc
	ended  chan error
}

// ask serves the witnesses on a port of this machine and lets the ledger ask them
// there, as docketd does, until end.
func (s *stage) ask() (*asking, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, cli.Unknown(err)
	}
	mux := http.NewServeMux()
	for _, w := range s.witnesses {
		mux.Handle("/"+w.name+"/", http.StripPrefix("/"+w.name, witnessing.Handler(w.core, w.store, slog.New(slog.DiscardHandler), nil)))
	}
	a := &asking{server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second},
		ended: make(chan error, 1)}
	policy, err := verify.ParsePolicy(s.witnessedPolicy("http://" + l.Addr().String() + "/"))
	if err != nil {
		return nil, err
	}
	c, err := cosign.Open(cosign.Config{Log: s.ledger, Policy: policy, Dir: datadir.CheckpointsDir(s.path("ledger"))})
	if err != nil {
		return nil, err
	}
	s.ledger.SetWitnesses(c.Witnesses)
	go func() { _ = a.server.Serve(l) }() // until end; without witnesses the ledger goes on
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	go func() { a.ended <- c.Run(ctx) }()
	return a, nil
}

// end stops the asking and the witnesses. The error says why the ledger was halted.
func (a *asking) end() error {
	a.cancel()
	err := <-a.ended
	_ = a.server.Close() // nobody asks any more
	return err
}
