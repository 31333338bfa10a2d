package target

import "math/bits"

// Set is a set of small numbers as a bitmap. Its length is fixed when it is made; numbers beyond it are not in it.
type Set []uint64

// NewSet returns an empty set for numbers below n.
func NewSet(n int) Set { return make(Set, (n+63)/64) }

// Add puts i, which must be below the n of NewSet, into the set.
func (s Set) Add(i uint32) { s[i>>6] |= 1 << (i & 63) }

// Has reports whether i is in the set.
func (s Set) Has(i uint32) bool {
	w := int(i >> 6)
	return w < len(s) && s[w]&(1<<(i&63)) != 0
}

// Or adds all of other that fits.
func (s Set) Or(other Set) {
	for i := range min(len(s), len(other)) {
		s[i] |= other[i]
	}
}

// And keeps what is also in other.
func (s Set) And(other Set) {
	for i := range s {
		if i < len(other) {
			s[i] &= other[i]
		} else {
			s[i] = 0
		}
	}
}

// AndNot removes what is in other.
func (s Set) AndNot(other Set) {
	for i := range min(len(s), len(other)) {
		s[i] &^= other[i]
	}
}

// Count returns how many numbers are in the set.
func (s Set) Count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}
