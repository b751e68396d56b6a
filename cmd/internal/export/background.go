package export

// A background does one thing at a time beside whoever uses it, and keeps the first
// error. Nothing has to be closed.
type background struct{ done chan error }

func newBackground() background {
	b := background{make(chan error, 1)}
	b.done <- nil
	return b
}

// run waits for what was begun before and begins the next, unless that has failed.
func (b background) run(next func() error) error {
	if err := b.wait(); err != nil {
		return err
	}
	<-b.done
	go func() { b.done <- next() }()
	return nil
}

// wait waits for what was begun before.
func (b background) wait() error {
	err := <-b.done
	b.done <- err
	return err
}

// batched collects rows and hands them on many at a time, in the background.
type batched[T any] struct {
	background
	batch, next []T
	take        func([]T) error // does not keep the rows
}

const rowsAtOnce = 512

func newBatched[T any](take func([]T) error) *batched[T] {
	return &batched[T]{newBackground(), make([]T, 0, rowsAtOnce), make([]T, 0, rowsAtOnce), take}
}

func (b *batched[T]) add(row *T) error {
	if b.batch = append(b.batch, *row); len(b.batch) < rowsAtOnce {
		return nil
	}
	return b.flush()
}

func (b *batched[T]) flush() error {
	full := b.batch
	err := b.run(func() error {
		err := b.take(full)
		clear(full)
		return err
	})
	b.batch, b.next = b.next[:0], full
	return err
}

// end hands on what is left and waits.
func (b *batched[T]) end() error {
	if err := b.flush(); err != nil {
		return err
	}
	return b.wait()
}
