package export

import (
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A Format is a form of an export.
type Format struct {
	Name string
	// Begin returns what writes an export of the format into a folder.
	Begin func(*Folder) (Writer, error)
}

// Formats are all there are.
var Formats = []Format{
	{"jsonl", inTables(jsonLines)},
	{"csv", inTables(csvTables)},
	{"parquet", inTables(parquetTables)},
	{"dsa", beginStatements},
}

// A Writer writes one export. It is used by one goroutine at a time.
type Writer interface {
	// Add takes the next record of the log, be it void or not, with its standing.
	// It must not keep r: a log is larger than memory. After an error nothing
	// more is called.
	Add(index int64, r record.Checked, s rules.Standing) error
	// Finish writes what only the end of the log shows. It is called once the
	// audit has held. The folder closes its files.
	Finish(sum *verify.Summary) error
}

// A Counter is a Writer with more to say in the manifest than how many rows there are.
type Counter interface {
	// Counts are what the manifest says, by name. It is called after Finish.
	Counts() map[string]int64
}
