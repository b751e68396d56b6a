package pkcs11key_test

import (
	"strings"
	"testing"

	"github.com/docket-ledger/docket/cmd/internal/pkcs11key"
)

func TestParseURI(t *testing.T) {
	got, err := pkcs11key.ParseURI("pkcs11:token=My%20token;object=log%3b1?module-path=/usr/lib/m.so&pin-source=file:/etc/docket/pin")
	want := pkcs11key.URI{Module: "/usr/lib/m.so", Token: "My token", Object: "log;1", PINSource: "/etc/docket/pin"}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	const rest = "?module-path=/m.so&pin-source=/pin"
	for name, test := range map[string]struct{ uri, want string }{
		"another scheme":       {"file:/etc/key", "begins with pkcs11:"},
		"no token":             {"pkcs11:object=a" + rest, "token= is missing"},
		"no object":            {"pkcs11:token=a" + rest, "object= is missing"},
		"no module":            {"pkcs11:token=a;object=b?pin-source=/pin", "module-path= is missing"},
		"a relative module":    {"pkcs11:token=a;object=b?module-path=m.so&pin-source=/pin", "no absolute path"},
		"no PIN":               {"pkcs11:token=a;object=b?module-path=/m.so", "pin-source= is missing"},
		"the PIN itself":       {"pkcs11:token=a;object=b?module-path=/m.so&pin-value=834729", "pin-source="},
		"the PIN in the path":  {"pkcs11:token=a;pin-value=834729;object=b" + rest, "pin-source="},
		"a PIN that is broken": {"pkcs11:token=a;object=b?module-path=/m.so&pin-source=834729%", "percent-encoded"},
		"a PIN as a file":      {"pkcs11:token=a;object=b?module-path=/m.so&pin-source=834729", "no absolute path"},
		"an unknown attribute": {"pkcs11:token=a;object=b;slot-id=834729" + rest, `"slot-id" is not known`},
		"twice":                {"pkcs11:token=a;token=b;object=b" + rest, "token is there twice"},
		"a line break":         {"pkcs11:token=a%0a;object=b" + rest, "percent-encoded"},
	} {
		_, err := pkcs11key.ParseURI(test.uri)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "834729") {
			t.Errorf("%s: %v, want %q and no PIN", name, err, test.want)
		}
	}
}

// TestOpenWithoutToken: a program says what it lacks, with cgo or without.
func TestOpenWithoutToken(t *testing.T) {
	if k, err := pkcs11key.Open("pkcs11:token=a;object=b?module-path=/nowhere/m.so&pin-source=/nowhere/pin"); err == nil {
		t.Errorf("opened %v", k)
	}
}
