package facts

import (
	"slices"

	"github.com/ptorbus/zester/core/target"
)

// posting is the set of peels that have a value. Most values of a fleet are had by one peel (names, addresses) or by many
// (the system): one number is kept in place, a few as a sorted list, many as a bitmap.
type posting struct {
	count uint32
	one   uint32 // the only member, while there is one
	more  *members
}

type members struct {
	list []uint32
	bits target.Set // instead of list
}

// bitmapFrom is the length at which a bitmap of size peels is smaller than a list.
func bitmapFrom(size int) int { return max(64, size/32) }

func (p *posting) add(n uint32, size int) {
	p.count++
	switch {
	case p.count == 1:
		p.one = n
		return
	case p.more == nil:
		p.more = &members{list: []uint32{min(p.one, n), max(p.one, n)}}
		return
	case p.more.bits != nil:
		p.more.bits = grown(p.more.bits, n, size)
		p.more.bits.Add(n)
		return
	}
	at, _ := slices.BinarySearch(p.more.list, n)
	p.more.list = slices.Insert(p.more.list, at, n)
	if len(p.more.list) >= bitmapFrom(size) {
		bits := target.NewSet(size)
		for _, m := range p.more.list {
			bits.Add(m)
		}
		*p.more = members{bits: bits}
	}
}

// remove takes out a member and returns how many are left.
func (p *posting) remove(n uint32, size int) int {
	p.count--
	switch {
	case p.more == nil:
		return 0
	case p.more.bits != nil:
		p.more.bits[n>>6] &^= 1 << (n & 63)
		if int(p.count) < bitmapFrom(size)/4 { // far from the way up, so that one peel does not flip it to and fro
			list := make([]uint32, 0, p.count)
			each(p.more.bits, func(m uint32) { list = append(list, m) })
			*p.more = members{list: list}
		}
	default:
		if at, ok := slices.BinarySearch(p.more.list, n); ok {
			p.more.list = slices.Delete(p.more.list, at, at+1)
		}
	}
	if p.count == 1 && p.more.bits == nil {
		p.one, p.more = p.more.list[0], nil
	}
	return int(p.count)
}

func (p *posting) addTo(into target.Set) {
	switch {
	case p.count == 0:
	case p.more == nil:
		into.Add(p.one)
	case p.more.bits != nil:
		into.Or(p.more.bits)
	default:
		for _, n := range p.more.list {
			into.Add(n)
		}
	}
}

// grown makes room for n; the room doubles with the fleet at most.
func grown(s target.Set, n uint32, size int) target.Set {
	if int(n>>6) < len(s) {
		return s
	}
	words := max(int(n>>6)+1, (size+63)/64)
	return append(s, make(target.Set, words-len(s))...)
}
