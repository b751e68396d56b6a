// Package source opens a log wherever it is.
package source

import (
	"archive/zip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
)

// Open opens a log by URL, which is a *client.Client, by folder, out of which no
// symbolic link leads, or by zip. Files are closed with the process. The error has
// its exit code.
func Open(where string) (verify.Source, error) {
	if strings.Contains(where, "://") {
		c, err := client.New(where)
		if err != nil {
			return nil, cli.Usage(err)
		}
		return c, nil
	}
	info, err := os.Stat(where)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, cli.Unknown(fmt.Errorf("%s: no such folder; a URL begins with http:// or https://", where))
	case err != nil:
		return nil, cli.Unknown(err)
	case !info.IsDir():
		zipped, err := zip.OpenReader(where)
		if err != nil {
			return nil, cli.Usage(fmt.Errorf("%s is no zip: want the URL of a log, the folder of a mirror or a zip of one; for a receipt use docket-verify receipt", where))
		}
		return verify.DirSource(zipped), nil
	}
	root, err := os.OpenRoot(where)
	if err != nil {
		return nil, cli.Unknown(err)
	}
	return verify.DirSource(root.FS()), nil
}

// OpenPatient is Open of a source that does not give up at once; see Patient.
func OpenPatient(where string) (verify.Source, error) {
	src, err := Open(where)
	if c, ok := src.(*client.Client); ok {
		return Patient(c, client.Lasting), nil
	}
	return src, err
}
