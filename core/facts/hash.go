package facts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Hash is a digest that is equal for equal facts, whatever the order of their maps, across restarts and versions.
func Hash(facts map[string]any) string {
	// Of the encodings at hand JSON is the one that sorts keys. Its blindness to int64(1) and float64(1) costs nothing:
	// no fact turns from one into the other.
	data, err := json.Marshal(facts)
	if err != nil { // NaN and its like, which JSON has no word for
		data = fmt.Appendf(nil, "%v", facts) // fmt sorts keys too
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
