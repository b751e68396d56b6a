package proof

import (
	"strconv"
	"time"
)

// Fill uses proofs of a key until that fails.
func Fill(c *Checker, kid string, now time.Time) error {
	for i := 0; ; i++ {
		if err := c.used.add(kid, strconv.Itoa(i), now, 2*time.Minute); err != nil {
			return err
		}
	}
}
