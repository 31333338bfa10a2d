package states

import "strings"

// requisite kinds. The order is that in which a state's needs are pulled in front of it, checked and reported, as in Salt.
type kind uint8

const (
	require kind = iota
	requireAny
	watch
	watchAny
	prereq
	onfail
	onfailAny
	onfailAll
	onchanges
	onchangesAny
	listen
	use
	kinds
)

var kindNames = [kinds]string{
	"require", "require_any", "watch", "watch_any", "prereq",
	"onfail", "onfail_any", "onfail_all", "onchanges", "onchanges_any", "listen", "use",
}

func (k kind) String() string { return kindNames[k] }

type requisiteForm struct {
	kind    kind
	reverse bool // an _in form
}

var requisiteForms = func() map[string]requisiteForm {
	forms := map[string]requisiteForm{}
	for k, name := range kindNames {
		forms[name] = requisiteForm{kind(k), false}
		forms[name+"_in"] = requisiteForm{kind(k), true}
	}
	return forms
}()

// requisiteKey returns what an argument's name means as a requisite.
func requisiteKey(name string) (requisiteForm, bool) {
	form, ok := requisiteForms[name]
	return form, ok
}

// target is one entry of a requisite's list.
type target struct {
	entry int // of the list
	// module is empty for an id of any module, "sls" for a whole file. function is empty for any function.
	module, function, name string
}

func (t target) String() string {
	switch {
	case t.module == "":
		return t.name
	case t.function != "":
		return t.module + "." + t.function + ": " + t.name
	}
	return t.module + ": " + t.name
}

// targets reads the list of a requisite.
func targets(value any) ([]target, string) {
	list, ok := value.([]any)
	if !ok {
		return nil, "takes a list such as - file: name, not " + describe(value)
	}
	out := make([]target, 0, len(list))
	for i, item := range list {
		switch item := item.(type) {
		case string:
			out = append(out, target{entry: i, name: item})
		case map[string]any:
			for _, key := range sortedKeys(item) {
				name, ok := text(item[key])
				if !ok {
					return nil, "takes a list such as - file: name, not - " + key + ": " + describe(item[key])
				}
				t := target{entry: i, name: name.(string)}
				if key != "id" {
					t.module, t.function, _ = strings.Cut(key, ".")
				}
				out = append(out, t)
			}
		default:
			return nil, "takes a list such as - file: name, not - " + describe(item)
		}
	}
	return out, ""
}
