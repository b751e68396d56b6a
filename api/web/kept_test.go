package web

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestKept: what is quick is made for each request; what is slow is given again, and
// made anew once it was sent. What fails is not kept.
func TestKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k kept[int]
		made, took, fails := 0, time.Millisecond, error(nil)
		make := func() (int, error) {
			time.Sleep(took)
			made++
			return made, fails
		}
		wants := func(want int) func() error {
			t.Helper()
			is, after, err := k.get(make)
			if is != want || err != nil {
				t.Errorf("got %d, %v, want %d", is, err, want)
			}
			return after
		}
		wants(1)
		took = time.Second
		if after := wants(2); after != nil {
			t.Error("it is made again at once")
		}
		after := wants(2)
		if err := after(); err != nil || made != 3 {
			t.Errorf("made %d times: %v", made, err)
		}
		fails = errors.New("not now")
		if err := wants(3)(); err == nil {
			t.Error("a failure is not told")
		}
		fails, took = nil, time.Millisecond
		if err := wants(3)(); err != nil {
			t.Error(err)
		}
		wants(6)
		wants(7)
	})
}
