package ledger

// Waiting returns how many records are on their way, and how many may be at once.
func (l *Ledger) Waiting() (now, most int) { return len(l.slots), cap(l.slots) }

// GuardPath returns the path of the guard file.
func (l *Ledger) GuardPath() string { return l.cfg.Guard }
