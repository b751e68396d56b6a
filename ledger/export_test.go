package ledger

// Queued returns how many records wait for the writer.
func (l *Ledger) Queued() int { return len(l.queue) }

// Taken returns how many places of the queue are taken.
func (l *Ledger) Taken() int { return len(l.slots) }

// BreakGuard closes the guard file, so that the next write to it fails. The
// writer must be idle.
func (l *Ledger) BreakGuard() error { return l.guard.file.Close() }
