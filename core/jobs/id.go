package jobs

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// idLayout is Salt's job id: 20 digits of UTC time, to the microsecond once the dot is gone.
const idLayout = "20060102150405.000000"

const idLength = 20 + 1 + 8

// NewID makes a job id: the time, so that ids sort as jobs were submitted, and 8 random hex
// digits, so that two submitters never meet.
func NewID(now time.Time) string {
	var random [4]byte
	rand.Read(random[:]) // never fails
	return strings.Replace(now.UTC().Format(idLayout), ".", "", 1) + "-" + hex.EncodeToString(random[:])
}

// CheckID says what is wrong with a job id. An id becomes part of subjects and keys, and
// clients choose it: everything that takes one from outside checks it first.
func CheckID(id string) error {
	if len(id) != idLength || id[20] != '-' || strings.Trim(id[:20], "0123456789") != "" || strings.Trim(id[21:], "0123456789abcdef") != "" {
		return fmt.Errorf("job id %.40q: want 20 digits, '-' and 8 hex digits, like %s", id, "20260131120000123456-0a1b2c3d")
	}
	return nil
}
