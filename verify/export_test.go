package verify

// MaxTiles is how many tiles a Tree keeps.
const MaxTiles = maxTiles

// Tiles returns how many tiles t keeps.
func (t *Tree) Tiles() int {
	t.tiles.mu.Lock()
	defer t.tiles.mu.Unlock()
	return len(t.tiles.tiles)
}
