package render

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/runenames"
)

// namedRune is a character and the hash of its name, which takes a tenth of the
// room of the name.
type namedRune struct {
	hash uint32
	r    rune
}

// namedRunes are all characters with a name, made when a template first names one.
var namedRunes = sync.OnceValue(func() []namedRune {
	var all []namedRune
	for r := range rune(unicode.MaxRune) {
		if name := runenames.Name(r); name != "" && name[0] != '<' {
			all = append(all, namedRune{nameHash(name), r})
		}
	}
	slices.SortFunc(all, func(a, b namedRune) int { return cmp.Compare(a.hash, b.hash) })
	return slices.Clip(all)
})

func nameHash(name string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32()
}

// runeNamed finds a character by its name in Unicode, in any case.
func runeNamed(name string) (rune, bool) {
	name = strings.ToUpper(name)
	if hex, ok := strings.CutPrefix(name, "CJK UNIFIED IDEOGRAPH-"); ok {
		r, err := strconv.ParseInt(hex, 16, 32)
		return rune(r), err == nil && unicode.Is(unicode.Unified_Ideograph, rune(r))
	}
	all, h := namedRunes(), nameHash(name)
	i, _ := slices.BinarySearchFunc(all, h, func(n namedRune, h uint32) int { return cmp.Compare(n.hash, h) })
	for ; i < len(all) && all[i].hash == h; i++ {
		if runenames.Name(all[i].r) == name {
			return all[i].r, true
		}
	}
	return 0, false
}
