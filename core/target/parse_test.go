package target

import (
	"testing"
)

func TestParseCanonical(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"*", "*"},
		{" web-01 ", "web-01"},
		{"web-[0-9]?", "web-[0-9]?"},
		{"web-[!ab]*", "web-[!ab]*"},
		{"role:web", "G@role:web"},
		{"network:ipv4:10.*", "G@network:ipv4:10.*"},
		{"G@role:web AND Not web-00*", "G@role:web and not web-00*"},
		{"a or b and c", "a or b and c"},
		{"(a or b) and c", "(a or b) and c"},
		{"(a or (b or c))", "a or b or c"},
		{"a and (b and c)", "a and b and c"},
		{"not(a or b)", "not (a or b)"},
		{"not not a", "not not a"},
		{"(a)and(b)", "a and b"},
		{"not a and b", "not a and b"},
		{"not (a and b)", "not (a and b)"},
		{"E@web-(01|02) or lb-*", "E@web-(01|02) or lb-*"},
		{"(E@web-(01|02))", "E@web-(01|02)"},
		{`E@a\)b or c`, `E@a\)b or c`},
		{"(E@[(]x)", "E@[(]x"},
		{"P@os:(?:debian|ubuntu)", "P@os:(?:debian|ubuntu)"},
		{"P@a:*:web", "P@a:*:web"},
		{"G@cpu_model:Intel(R)*", "G@cpu_model:Intel(R)*"},
		{`os:"red hat"`, `G@"os:red hat"`},
		{`G@os:'red "hat"'`, `G@"os:red ""hat"""`},
		{`"and" or L@and`, `"and" or L@and`},
		{"I@tier:gold", "I@tier:gold"},
		{"(J@tier:(gold|[)]))", "J@tier:(gold|[)])"},
		{"L@a,b,a", "L@a,b,a"},
		{"S@10.1.2.3/8", "S@10.0.0.0/8"},
		{"S@::ffff:10.0.0.1", "S@10.0.0.1"},
		{"S@fe80::1", "S@fe80::1"},
		{"N@web and N@eu.1", "N@web and N@eu.1"},
		{"G@domain:", "G@domain:"},
		{"G@ip_interfaces:*:10.*", "G@ip_interfaces:*:10.*"},
		{"band or notes", "band or notes"},
	} {
		got, err := Parse(c.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.in, err)
			continue
		}
		if got.String() != c.want {
			t.Errorf("Parse(%q) = %q, want %q", c.in, got, c.want)
		}
		if again, err := Parse(c.want); err != nil || again.String() != c.want {
			t.Errorf("Parse(%q) = %v, %v; want itself", c.want, again, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", `target "": character 1: expected a target, such as web-*, G@os:debian or L@web-01,web-02`},
		{"web-01,web-02", `target "web-01,web-02": character 7: "," cannot be part of an id; a list of ids is L@web-01,web-02`},
		{"web-01, web-02", `target "web-01, web-02": character 7: "," cannot be part of an id; a list of ids is L@web-01`},
		{"web-01 web-02", `target "web-01 web-02": character 8: expected "and" or "or" between two targets`},
		{"a not b", `target "a not b": character 3: expected "and" or "or" between two targets`},
		{"a (b)", `target "a (b)": character 3: expected "and" or "or" between two targets`},
		{"a and", `target "a and": character 6: expected a target, such as web-*, G@os:debian or L@web-01,web-02`},
		{"or a", `target "or a": character 1: expected a target before "or"`},
		{"a and or b", `target "a and or b": character 7: expected a target before "or"`},
		{"(a or b", `target "(a or b": character 1: "(" without ")"`},
		{"a or b)", `target "a or b)": character 7: ")" without "("`},
		{"()", `target "()": character 2: expected a target before ")"`},
		{"web-[0-9", `target "web-[0-9": character 5: "[" without "]"; write [[] for the character itself`},
		{"g@os:debian", `target "g@os:debian": character 1: unknown matcher "g@" (did you mean "G@"?)`},
		{"X@os:debian", `target "X@os:debian": character 1: unknown matcher "X@"; there are E@ G@ I@ J@ L@ N@ P@ S@`},
		{"j@os:debian", `target "j@os:debian": character 1: unknown matcher "j@" (did you mean "J@"?)`},
		{"J@os:(a:b", `target "J@os:(a:b": character 10: missing closing ) in the regular expression; RE2 syntax is understood`},
		{`os:"red hat`, `target "os:\"red hat": character 4: " is not closed; a quote itself is written twice inside quotes`},
		{"G@role", `target "G@role": character 7: expected fact:value, such as os:debian`},
		{"G@:x", `target "G@:x": character 3: expected fact:value, such as os:debian`},
		{"G@", `target "G@": character 3: expected G@key:value, such as G@os:debian`},
		{"role:web[", `target "role:web[": character 9: "[" without "]"; write [[] for the character itself`},
		{"*ß and é:ẞ[a", `target "*ß and é:ẞ[a": character 2: "ß" cannot be part of an id; letters, digits, dot, dash and underscore can, and * ? [a-z] in a glob`},
		{"é:ẞİ[a", `target "é:ẞİ[a": character 5: "[" without "]"; write [[] for the character itself`},
		{"web-01|web-02", `target "web-01|web-02": character 7: "|" cannot be part of an id; a regular expression is E@web-(01|02)`},
		{"10.0.0.0/8", `target "10.0.0.0/8": character 9: "/" cannot be part of an id; a network is S@10.0.0.0/8`},
		{"E@web-(01", `target "E@web-(01": character 10: missing closing ) in the regular expression; RE2 syntax is understood`},
		{"E@a(?=b)", `target "E@a(?=b)": character 4: invalid or unsupported Perl syntax in the regular expression; RE2 syntax is understood`},
		{"P@os:(a:b", `target "P@os:(a:b": character 10: missing closing ) in the regular expression; RE2 syntax is understood`},
		{"P@os:*:(", `target "P@os:*:(": character 9: missing closing ) in the regular expression; RE2 syntax is understood`},
		{"P@os:[z-a]", `target "P@os:[z-a]": character 7: invalid character class range in the regular expression; RE2 syntax is understood`},
		{"L@a,,b", `target "L@a,,b": character 5: expected an id; a list is L@web-01,web-02, without blanks`},
		{"L@a,b*", `target "L@a,b*": character 6: "*" cannot be part of an id in a list; join globs with "or"`},
		{"L@", `target "L@": character 3: expected ids, such as L@web-01,web-02`},
		{"S@10.0.0.0/33", `target "S@10.0.0.0/33": character 3: "10.0.0.0/33" is neither an address nor a network, such as 10.0.0.1 or 10.0.0.0/8`},
		{"N@a/b", `target "N@a/b": character 4: "/" cannot be part of a group's name`},
		{"a or \xff", `target "a or \xff": character 6: expected UTF-8`},
	} {
		got, err := Parse(c.in)
		if err == nil {
			t.Errorf("Parse(%q) = %q, want error %s", c.in, got, c.want)
		} else if got != nil || err.Error() != c.want {
			t.Errorf("Parse(%q)\n got %s\nwant %s", c.in, err, c.want)
		}
	}
}
