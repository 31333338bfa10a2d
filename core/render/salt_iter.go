package render

// combineFilters are the functions of Python's itertools that Salt has as filters.
func combineFilters() map[string]filterFunc {
	return map[string]filterFunc{
		"zip": filterZip, "zip_longest": filterZipLongest, "compress": filterCompress, "product": filterProduct,
		"combinations":                  filterChoose("combinations", false, false),
		"combinations_with_replacement": filterChoose("combinations_with_replacement", true, false),
		"permutations":                  filterChoose("permutations", false, true),
	}
}

func iteratorsOf(v any, more []any) []iterator {
	its := []iterator{mustIter(v)}
	for _, x := range more {
		its = append(its, mustIter(x))
	}
	return its
}

func filterZip(_ *frame, v any, a args) any {
	if len(a.kw) > 0 {
		throw("TypeError", "zip() takes no keyword arguments")
	}
	its := iteratorsOf(v, a.pos)
	return &iterValue{"zip", iterFunc(func() (any, bool) {
		t := &Tuple{}
		for _, it := range its {
			x, ok := it.next()
			if !ok {
				return nil, false
			}
			t.items = append(t.items, x)
		}
		return t, true
	})}
}

func filterZipLongest(_ *frame, v any, a args) any {
	var fill any
	for _, k := range a.kw {
		if k.name != "fillvalue" {
			throw("TypeError", "zip_longest() got an unexpected keyword argument '%s'", k.name)
		}
		fill = k.val
	}
	its := iteratorsOf(v, a.pos)
	return &iterValue{"zip_longest", iterFunc(func() (any, bool) {
		t := &Tuple{}
		left := false
		for _, it := range its {
			x, ok := it.next()
			if !ok {
				x = fill
			}
			left = left || ok
			t.items = append(t.items, x)
		}
		return t, left
	})}
}

func filterCompress(_ *frame, v any, a args) any {
	its := iteratorsOf(v, a.bind("compress", 1, "selectors"))
	return &iterValue{"compress", iterFunc(func() (any, bool) {
		for {
			x, ok := its[0].next()
			sel, more := its[1].next()
			if !ok || !more {
				return nil, false
			}
			if truth(sel) {
				return x, true
			}
		}
	})}
}

func filterProduct(f *frame, v any, a args) any {
	repeat := 1
	for _, k := range a.kw {
		if k.name != "repeat" {
			throw("TypeError", "product() got an unexpected keyword argument '%s'", k.name)
		}
		repeat = wantInt(k.val)
	}
	pools := [][]any{collect(v)}
	for _, x := range a.pos {
		pools = append(pools, collect(x))
	}
	if repeat < 0 || repeat*len(pools) > 1000 {
		throw("ValueError", "repeat argument is negative or too large")
	}
	var all [][]any
	for range repeat {
		all = append(all, pools...)
	}
	at := make([]int, len(all))
	done := false
	for _, p := range all {
		done = done || len(p) == 0
	}
	return &iterValue{"product", iterFunc(func() (any, bool) {
		if done {
			return nil, false
		}
		f.r.step()
		t := &Tuple{}
		for i, p := range all {
			t.items = append(t.items, p[at[i]])
		}
		i := len(at) - 1
		for ; i >= 0; i-- {
			if at[i]++; at[i] < len(all[i]) {
				break
			}
			at[i] = 0
		}
		done = i < 0
		return t, true
	})}
}

// filterChoose picks r elements in every way: in any order, or in that of the
// sequence, with or without taking one twice.
func filterChoose(name string, again, anyOrder bool) filterFunc {
	return func(f *frame, v any, a args) any {
		required := 1
		if anyOrder {
			required = 0
		}
		b := a.bind(name, required, "r")
		pool := collect(v)
		n := len(pool)
		if r := or(b[0], nil); r != nil {
			n = wantInt(r)
		}
		if n < 0 {
			throw("ValueError", "r must be non-negative")
		}
		if n > 1000 {
			throw("ValueError", "r is too large")
		}
		fits := func(at []int, i int) bool {
			for j := range i {
				if anyOrder && at[j] == at[i] || !anyOrder && (at[j] > at[i] || !again && at[j] == at[i]) {
					return false
				}
			}
			return true
		}
		at := make([]int, n)
		started := false
		return &iterValue{name, iterFunc(func() (any, bool) {
			i := n - 1
			if !started {
				started, i = true, 0
				if n > 0 {
					at[0] = -1
				}
			}
			// Count up like an odometer, skipping what does not fit.
			for n > 0 {
				if i < 0 {
					return nil, false
				}
				f.r.step()
				if at[i]++; at[i] >= len(pool) {
					i--
					continue
				}
				if !fits(at, i) {
					continue
				}
				if i == n-1 {
					break
				}
				i++
				at[i] = -1
			}
			if n == 0 {
				if at == nil {
					return nil, false
				}
				at = nil
				return &Tuple{}, true
			}
			t := &Tuple{}
			for _, j := range at {
				t.items = append(t.items, pool[j])
			}
			return t, true
		})}
	}
}
