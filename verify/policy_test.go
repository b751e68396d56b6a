package verify_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify"
)

// parties are a log and six witnesses, two of them with ML-DSA-44 keys, and the
// example policy of c2sp.org/tlog-policy for them.
func parties(t testing.TB) (log *signer, w map[string]*signer, lines []string) {
	log = newSigner(t, origin, verify.Ed25519, "log")
	lines = []string{"# who counts", "", "log " + log.VKey.String() + " https://" + origin}
	w = make(map[string]*signer)
	for _, name := range []string{"X1", "X2", "X3", "Y1", "Y2", "Y3"} {
		alg := verify.Ed25519Cosignature
		if name == "X3" || name == "Y3" {
			alg = verify.MLDSA44Cosignature
		}
		w[name] = newSigner(t, strings.ToLower(name)+".example.org", alg, name)
		lines = append(lines, "witness "+name+" "+w[name].VKey.String())
	}
	return log, w, append(lines,
		"group X-witnesses 2 X1 X2 X3", " \t group Y-witnesses any Y1\tY2  Y3 ",
		"group X-and-Y all X-witnesses Y-witnesses", "quorum X-and-Y")
}

func TestQuorum(t *testing.T) {
	log, w, lines := parties(t)
	p := parsePolicy(t, lines...)
	for _, tt := range []struct {
		witnesses string
		reached   bool
	}{
		{"", false}, {"X1", false}, {"X1 X2", false}, {"X1 X2 X3", false}, {"X1 Y1", false}, {"Y1 Y2 Y3", false},
		{"X1 X2 Y1", true}, {"Y3 X3 X1", true}, {"X2 X3 Y2", true}, {"X1 X2 X3 Y1 Y2 Y3", true},
	} {
		signers := []*signer{log}
		for _, name := range strings.Fields(tt.witnesses) {
			signers = append(signers, w[name])
		}
		signed := signNote(t, testCheckpoint.Text(), signers...)
		s, err := p.Open(signed)
		if tt.reached && err != nil || !tt.reached && !errors.Is(err, verify.ErrQuorum) {
			t.Errorf("cosigned by %q: %v, want reached %v", tt.witnesses, err, tt.reached)
		}
		var names []string
		for _, c := range s.Cosignatures {
			names = append(names, c.Name)
			if c.Time != 1790000000 {
				t.Errorf("%s cosigned at %d", c.Name, c.Time)
			}
		}
		if got := strings.Join(names, " "); got != tt.witnesses || s.Checkpoint != testCheckpoint {
			t.Errorf("cosigned by %q: Open = %q of %+v", tt.witnesses, got, s.Checkpoint)
		}
	}
	if l := p.Logs(); len(l) != 1 || l[0].Key.String() != log.VKey.String() || l[0].URL != "https://"+origin {
		t.Errorf("Logs() = %v", l)
	}
	if n, q := len(p.Witnesses()), p.Quorum(); n != 6 || q != "X-and-Y" {
		t.Errorf("%d witnesses, quorum %s", n, q)
	}
}

func TestPolicySpellings(t *testing.T) {
	log, w, _ := parties(t)
	l, w1 := "log "+log.VKey.String(), "witness w "+w["X1"].VKey.String()
	for what, policy := range map[string]string{
		"no log":               "quorum none\n",
		"no last line end":     l + "\nquorum none",
		"quorum is a witness":  w1 + "\nquorum w\n",
		"quorum before logs":   "quorum none\n" + l + "\n",
		"octets above 0x7f":    "# \xff\nwitness \xff " + w["X1"].VKey.String() + " \xfe\ngroup \xfe all \xff\nquorum \xfe\n",
		"the log as a witness": w1 + "\nlog " + newSigner(t, origin, verify.Ed25519, "X1").VKey.String() + "\nquorum w\n",
		"a key in both roles":  "log " + w["X3"].VKey.String() + "\nwitness w " + w["X3"].VKey.String() + "\nquorum w\n",
		"unused witness":       l + "\n" + w1 + "\nquorum none\n",
		"tab before comment":   "\t# none\n \t\n" + l + "\nquorum\tnone\n",
	} {
		if _, err := verify.ParsePolicy([]byte(policy)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, tt := range map[string]struct{ policy, want string }{
		"empty":                    {"", "no quorum line"},
		"no quorum":                {l + "\n", "no quorum line"},
		"two quorums":              {"quorum none\n#\nquorum none\n", "line 3: a second quorum"},
		"quorum undefined":         {"quorum w\n" + w1 + "\n", `line 1: "w" is not defined`},
		"quorum of two":            {w1 + "\nquorum w none\n", "line 2: want"},
		"quorum of nothing":        {"quorum\n", "line 1: want"},
		"unknown keyword":          {"logs x\n", "line 1: begins with"},
		"upper case":               {"Quorum none\n", "line 1: begins with"},
		"comment after items":      {"quorum none # none\n", "line 1: want"},
		"CR":                       {"quorum none\r\n", "line 1: control character 0x0d"},
		"NUL":                      {"# \x00\n", "line 1: control character 0x00"},
		"DEL":                      {"# \x7f\n", "line 1: control character 0x7f"},
		"log without key":          {"log\n", "line 1: want"},
		"log with two URLs":        {l + " a b\n", "line 1: want"},
		"log with bad key":         {"log x+00000000+AAAA\n", "line 1: verifier key of x"},
		"log with a witness's key": {"log " + w["X1"].VKey.String() + "\n", "line 1: a log's key has type"},
		"log twice":                {l + "\n" + l + " url\n", "line 2: a second log"},
		"log key under two names":  {l + "\nlog " + newSigner(t, "b.example", verify.Ed25519, "log").VKey.String() + "\n", "line 2: a second log"},
		"witness without key":      {"witness w\n", "line 1: want"},
		"witness with a log's key": {"witness w " + log.VKey.String() + "\n", "line 1: a witness's key has type"},
		"witness twice":            {w1 + "\n" + w1 + "\n", `line 2: the name "w" is taken`},
		"one key, two witnesses": {w1 + "\nwitness v " + newSigner(t, "b.example", verify.Ed25519Cosignature, "X1").VKey.String() + "\n",
			"line 2: a second witness with the public key of w"},
		"one ML-DSA key, two witnesses": {"witness a " + w["X3"].VKey.String() + "\nwitness b " +
			newSigner(t, "b.example", verify.MLDSA44Cosignature, "X3").VKey.String() + "\n", "line 2: a second witness"},
		"witness none":        {"witness none " + w["X1"].VKey.String() + "\n", `line 1: the name "none" is taken`},
		"group none":          {w1 + "\ngroup none any w\n", `line 2: the name "none" is taken`},
		"group of none":       {w1 + "\ngroup g any none\n", `line 2: "none" is not defined`},
		"group named w":       {w1 + "\ngroup w any w\n", `line 2: the name "w" is taken`},
		"group of itself":     {w1 + "\ngroup g any g\n", `line 2: "g" is not defined`},
		"group of later":      {"group g any w\n" + w1 + "\n", `line 1: "w" is not defined`},
		"member twice":        {w1 + "\ngroup g 2 w w\n", `line 2: "w" is a member already`},
		"member of two":       {w1 + "\ngroup g any w\ngroup h any w\n", `line 3: "w" is a member already`},
		"group without names": {"group g any\n", "line 1: want"},
		"threshold 0":         {w1 + "\ngroup g 0 w\n", `line 2: "0" is not any`},
		"threshold 2 of 1":    {w1 + "\ngroup g 2 w\n", `line 2: "2" is not any`},
		"threshold -1":        {w1 + "\ngroup g -1 w\n", "line 2"},
		"threshold +1":        {w1 + "\ngroup g +1 w\n", "line 2"},
		"threshold 01":        {w1 + "\ngroup g 01 w\n", "line 2"},
		"threshold 2^64+1":    {w1 + "\ngroup g 18446744073709551617 w\n", "line 2"},
		"no-break space":      {"quorum\u00a0none\n", "line 1: begins with"},
	} {
		if _, err := verify.ParsePolicy([]byte(tt.policy)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", what, err, tt.want)
		}
	}
}

func TestLargePolicy(t *testing.T) {
	var b strings.Builder
	members := ""
	for i := range 500 {
		fmt.Fprintf(&b, "log %s\n", newSigner(t, fmt.Sprint("log", i), verify.Ed25519, fmt.Sprint("l", i)).VKey)
		fmt.Fprintf(&b, "witness w%d %s\n", i, newSigner(t, fmt.Sprint("w", i), verify.Ed25519Cosignature, fmt.Sprint("w", i)).VKey)
		fmt.Fprintf(&b, "group g%d any w%d%s\n", i, i, members)
		members = fmt.Sprintf(" g%d", i)
	}
	b.WriteString("quorum g499\n")
	p, err := verify.ParsePolicy([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if !p.Reached([]string{"w0"}) || p.Reached([]string{"w500"}) || p.Reached(nil) {
		t.Error("the nested groups are not as written")
	}
}

func FuzzPolicy(f *testing.F) {
	_, _, lines := parties(f)
	f.Add([]byte(strings.Join(lines, "\n")))
	f.Add([]byte("quorum none"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := verify.ParsePolicy(b)
		if err != nil {
			return
		}
		var all []string
		for _, w := range p.Witnesses() {
			all = append(all, w.Name)
		}
		if !p.Reached(all) {
			t.Errorf("the quorum of %q can't be reached", b)
		}
		if p.Quorum() != "none" && p.Reached(nil) {
			t.Errorf("the quorum of %q is reached by nobody", b)
		}
	})
}
