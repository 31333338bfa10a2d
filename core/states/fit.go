package states

import (
	"fmt"
	"strings"
)

// Fit returns Data in at most about limit bytes when encoded, so that a run's report can be sent whatever it holds. As
// long as it is too large, long texts (diffs, output) are cut, further and further; then states that are as they should
// be are left out, and counted under the key "omitted"; then the changes of the others; and last the states that come
// last, failed ones after all others. The summary is always that of the whole run. A limit of 0 is none.
func (r Report) Fit(limit int) map[string]any {
	data := r.Data()
	if limit <= 0 || sizeOf(data) <= limit {
		return data
	}
	list := data["states"].([]any)
	for _, longest := range [...]int{64 << 10, 8 << 10, 1 << 10} {
		for _, item := range list {
			s := item.(map[string]any)
			s["changes"] = cutTexts(s["changes"], longest)
			s["comment"] = cutTexts(s["comment"], longest)
		}
		if sizeOf(data) <= limit {
			return data
		}
	}
	keep := func(wanted func(s map[string]any) bool) {
		var kept []any
		for _, item := range data["states"].([]any) {
			if wanted(item.(map[string]any)) {
				kept = append(kept, item)
			}
		}
		data["states"], data["omitted"] = kept, int64(len(list)-len(kept))
	}
	keep(func(s map[string]any) bool { return s["result"] != true || len(s["changes"].(map[string]any)) > 0 })
	if sizeOf(data) <= limit {
		return data
	}
	for _, item := range list {
		if s := item.(map[string]any); len(s["changes"].(map[string]any)) > 0 {
			s["changes"] = map[string]any{"cut": "the report is too large to show them"}
		}
	}
	room := limit - sizeOf(data["summary"]) - 1024
	fits := make([]bool, len(list))
	for _, failed := range []bool{true, false} {
		for i := range list {
			s := list[i].(map[string]any)
			if size := sizeOf(s); (s["result"] == false) == failed && size <= room && (failed || len(s["changes"].(map[string]any)) > 0) {
				room -= size
				fits[i] = true
			}
		}
	}
	var kept []any
	for i := range list {
		if fits[i] {
			kept = append(kept, list[i])
		}
	}
	data["states"], data["omitted"] = kept, int64(len(list)-len(kept))
	return data
}

// cutTexts shortens every text of plain data to about longest bytes, at the end of a line where there is one.
func cutTexts(v any, longest int) any {
	switch v := v.(type) {
	case string:
		if len(v) <= longest {
			return v
		}
		head := strings.ToValidUTF8(v[:longest], "")
		if i := strings.LastIndexByte(head, '\n'); i > longest/2 {
			head = head[:i]
		}
		return fmt.Sprintf("%s\n[%d more bytes]", head, len(v)-len(head))
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = cutTexts(value, longest)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = cutTexts(item, longest)
		}
		return out
	}
	return v
}

// sizeOf is at least the size of plain data encoded as MessagePack.
func sizeOf(v any) int {
	switch v := v.(type) {
	case string:
		return len(v) + 5
	case []byte:
		return len(v) + 5
	case map[string]any:
		size := 5
		for key, value := range v {
			size += len(key) + 5 + sizeOf(value)
		}
		return size
	case []any:
		size := 5
		for _, item := range v {
			size += sizeOf(item)
		}
		return size
	}
	return 9
}
