//go:build long

package main

import "testing"

// TestLongKill is TestKill, many times.
func TestLongKill(t *testing.T) { killLoop(t, 40) }
