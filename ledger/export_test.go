package ledger

// Queued returns how many records wait for the writer.
func (l *Ledger) Queued() int { return len(l.queue) }

// Taken returns how many places of the queue are taken.
func (l *Ledger) Taken() int { return len(l.slots) }

// BreakGuard closes the guard file, so that the next write to it fails. The
// writer must be idle.
func (l *Ledger) BreakGuard() error { return l.guard.file.Close() }

// Look returns once the writer, which must run, has looked from beginning to end
// whether a timemark is due: it takes what is sent one after the other.
func (l *Ledger) Look() {
	for range 3 { // the first may wait in the channel, the second is taken when the first was looked at
		l.marks <- struct{}{}
	}
}
