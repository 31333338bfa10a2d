package render

import "encoding/hex"

func hexText(b []byte) string { return hex.EncodeToString(b) }

func setAdd(_ *frame, self any, a args) any {
	self.(*set).d.put(a.bind("add", 1, "object")[0], nil)
	return nil
}

func setDiscard(must bool) methodFunc {
	return func(_ *frame, self any, a args) any {
		v := a.bind("remove", 1, "object")[0]
		if _, ok := self.(*set).d.remove(v); !ok && must {
			throw("KeyError", "%s", repr(v))
		}
		return nil
	}
}

func setCopy(_ *frame, self any, a args) any {
	a.none("copy")
	return newSet(self.(*set).d.keys())
}

func setUnion(_ *frame, self any, a args) any {
	out := newSet(self.(*set).d.keys())
	for _, o := range a.pos {
		for _, v := range collect(o) {
			out.d.put(v, nil)
		}
	}
	return out
}

func setUpdate(_ *frame, self any, a args) any {
	for _, o := range a.pos {
		for _, v := range collect(o) {
			self.(*set).d.put(v, nil)
		}
	}
	return nil
}

func setDifference(_ *frame, self any, a args) any {
	out := newSet(self.(*set).d.keys())
	for _, o := range a.pos {
		for _, v := range collect(o) {
			out.d.remove(v)
		}
	}
	return out
}

func setIntersection(_ *frame, self any, a args) any {
	out := newSet(self.(*set).d.keys())
	for _, o := range a.pos {
		other := newSet(collect(o))
		for _, v := range out.d.keys() {
			if other.d.find(v) < 0 {
				out.d.remove(v)
			}
		}
	}
	return out
}

func setIsSubset(_ *frame, self any, a args) any {
	return subset("<=", self.(*set), newSet(collect(a.bind("issubset", 1, "other")[0])))
}

func setIsSuperset(_ *frame, self any, a args) any {
	return subset(">=", self.(*set), newSet(collect(a.bind("issuperset", 1, "other")[0])))
}
