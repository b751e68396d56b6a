//go:build long

package main

import "testing"

// TestLongKillFollow is TestKillFollow with more kills.
func TestLongKillFollow(t *testing.T) { killFollow(t, 300) }
