"""Random calls: every method, filter and test of Jinja2 on every kind of value, with arguments of every kind."""
import random

VALUES = ["1", "0", "-7", "255", "1234567", "2.5", "-0.5", "1e20", "0.1", "1e-7", "true", "false", "none", "''", "'a'", "'Hello World'",
          "'a,b,,c'", "'42'", "' 7 '", "'-3.5'", "'0x1F'", "'1_000'", "'tRuE'", "'  pad\\t\\n'", "'x=1;y=2'", "'ß ÀÉ ﬁ'", "'ab\\ncd\\r\\nef\\n'",
          "'<a href=\"x\">b&c</a>'", "'aaa'", "'%s and %d'", "'{} {0}'", "\"it's\"", "[]", "[3, 1, 2]", "['b', 'A', 'c', 'a']", "[1, 'a', none]",
          "[[1, 2], [3, 4]]", "[{'n': 1, 'g': 'x'}, {'n': 2, 'g': 'y'}, {'n': 3, 'g': 'x'}]", "[('a', 1), ('b', 2)]", "()", "(1,)", "(1, 'x', 2.0)", "{}",
          "{'a': 1, 'b': 2}", "{'b': 'z', 'A': 'y', 'c': 'x'}", "{1: 'i', 'k': [1, {'q': none}]}", "{(1, 2): 3, none: 4, true: 5}", "range(5)",
          "range(1, 10, 3)", "n", "f", "s", "u", "e", "big", "neg", "l", "d", "words", "mixed", "nested", "users", "text", "html", "path", "nil", "t", "x",
          "d.nope", "users[2].tags", "d.items()", "d.keys()", "'a'|safe", "s.split()", "dict(a=1)"]
OBJECTS = ["namespace(a=1)", "'a'.upper", "cycler(1, 2)", "l|map('string')"]  # their texts have addresses in them
ARGS = ["1", "0", "-1", "2", "3", "10", "2.5", "true", "false", "none", "''", "'a'", "','", "'l'", "' '", "'ab'", "'*'", "'é'", "'\\n'", "'a', 'b'", "[]",
        "['a', 'b']", "(1, 2)", "('a', 'H')", "{}", "{'a': 1}", "n", "s", "x", "'name'", "'n'", "'g'", "0.5", "'0'", "'%d'", "100", "-100"]

STR = {
    "capitalize": 0, "casefold": 0, "center": 2, "count": 3, "encode": 2, "endswith": 3, "expandtabs": 1, "find": 3, "format": 3, "format_map": 1, "index": 3,
    "isalnum": 0, "isalpha": 0, "isascii": 0, "isdecimal": 0, "isdigit": 0, "isidentifier": 0, "islower": 0, "isnumeric": 0, "isprintable": 0, "isspace": 0,
    "istitle": 0, "isupper": 0, "join": 1, "ljust": 2, "lower": 0, "lstrip": 1, "partition": 1, "removeprefix": 1, "removesuffix": 1, "replace": 3, "rfind": 3,
    "rindex": 3, "rjust": 2, "rpartition": 1, "rsplit": 2, "rstrip": 1, "split": 2, "splitlines": 1, "startswith": 3, "strip": 1, "swapcase": 0, "title": 0,
    "translate": 1, "upper": 0, "zfill": 1}
OTHER = {"append": 1, "extend": 1, "insert": 2, "pop": 2, "remove": 1, "reverse": 0, "sort": 0, "index": 3, "count": 1, "copy": 0, "clear": 0, "get": 2,
         "setdefault": 2, "update": 1, "items": 0, "keys": 0, "values": 0, "popitem": 0, "fromkeys": 2, "bit_length": 0, "is_integer": 0, "hex": 0, "conjugate": 0,
         "as_integer_ratio": 0, "decode": 1, "next": 0, "nope": 0, "union": 1}
KEYWORDS = {"split": ["sep", "maxsplit"], "rsplit": ["sep", "maxsplit"], "splitlines": ["keepends"], "expandtabs": ["tabsize"], "encode": ["encoding", "errors"],
            "sort": ["reverse", "key"], "update": ["a", "b"], "format": ["a", "name"], "replace": ["count", "old"]}

FILTERS = {
    "abs": [], "attr": ["name"], "batch": ["linecount", "fill_with"], "capitalize": [], "center": ["width"], "default": ["default_value", "boolean"],
    "d": ["default_value", "boolean"], "dictsort": ["case_sensitive", "by", "reverse"], "escape": [], "e": [], "filesizeformat": ["binary"], "first": [],
    "float": ["default"], "forceescape": [], "format": ["a", "b"], "groupby": ["attribute", "default", "case_sensitive"],
    "indent": ["width", "first", "blank"], "int": ["default", "base"], "join": ["d", "attribute"], "last": [], "length": [], "count": [], "list": [], "lower": [],
    "items": [], "map": ["attribute", "default"], "max": ["case_sensitive", "attribute"], "min": ["case_sensitive", "attribute"], "pprint": [], "reject": [],
    "rejectattr": [], "replace": ["old", "new", "count"], "reverse": [], "round": ["precision", "method"], "safe": [], "select": [], "selectattr": [],
    "slice": ["slices", "fill_with"], "sort": ["reverse", "case_sensitive", "attribute"], "string": [], "striptags": [], "sum": ["attribute", "start"], "title": [],
    "tojson": ["indent"], "trim": ["chars"], "truncate": ["length", "killwords", "end", "leeway"], "unique": ["case_sensitive", "attribute"], "upper": [],
    "urlencode": [], "urlize": ["trim_url_limit", "nofollow", "target", "rel", "extra_schemes"], "wordcount": [],
    "wordwrap": ["width", "break_long_words", "wrapstring", "break_on_hyphens"], "xmlattr": ["autospace"]}
LAZY = {"batch", "slice", "map", "select", "reject", "selectattr", "rejectattr", "unique", "reverse", "groupby", "items"}
TESTS = ["boolean", "callable", "defined", "divisibleby", "eq", "escaped", "even", "false", "filter", "float", "ge", "gt", "in", "integer", "iterable", "le", "lower",
         "lt", "mapping", "ne", "none", "number", "odd", "sameas", "sequence", "string", "test", "true", "undefined", "upper", "==", "!=", "equalto", "greaterthan",
         "lessthan", "nope"]
ATTRIBUTES = ["'n'", "'g'", "'name'", "'uid'", "'tags.0'", "'0'", "0", "'a,b'", "'upper'", "'extra.k'", "'name,uid'", "1", "none", "'nope'", "''"]


class Caller:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def value(self):
        v = self.random.choice(VALUES)
        return v if self.random.random() < .3 or v[0] not in "-12lu" and "|" not in v else "(" + v + ")"

    def arguments(self, most, names=()):
        r = self.random
        out = [r.choice(ARGS) for _ in range(r.choice([0, 1, 1, most, most, r.randrange(most + 1), most + (r.random() < .1)]) if most else r.random() < .05)]
        if names and r.random() < .45:
            out = out[:r.randrange(len(out) + 1)]
            for name in r.sample(names, r.randrange(1, min(len(names), 2) + 1)):
                out.append(name + "=" + (r.choice(ATTRIBUTES) if name == "attribute" else r.choice(ARGS).split(", ")[0].strip("[](){}") or "1"))
        return ", ".join(out)

    def method(self):
        r = self.random
        if r.random() < .6:
            name, self_ = r.choice(list(STR)), r.choice([v for v in VALUES if v[0] in "'\"sute"])
            most = STR[name]
        else:
            name, self_ = r.choice(list(OTHER)), r.choice(VALUES)
            most = OTHER[name]
        call = f"({self_}).{name}({self.arguments(most, KEYWORDS.get(name, ()))})"
        if r.random() < .3:
            call += r.choice(["|list", "[0]", "|length", ".upper()", "|join('/')", " ~ ''", " == none"])
        return "{{ " + call + " }}"

    def changed(self):
        """What a method does to the value it belongs to."""
        r = self.random
        name = r.choice(["append", "extend", "insert", "pop", "remove", "reverse", "sort", "clear", "setdefault", "update", "popitem", "get"])
        start = r.choice(["[3, 1, 2]", "['b', 'a', 'C']", "{'a': 1, 'b': 2}", "[]", "{}", "[1, 'a', none]", "{2: 'x', 'a': {}}"])
        return ("{% set v = " + start + " %}{% set w = v %}{{ v." + name + "(" + self.arguments(OTHER.get(name, 1), KEYWORDS.get(name, ()))
                + ") }} {{ w }} {{ v is sameas w }}")

    def filter(self, name=None):
        r = self.random
        name = name or r.choice(list(FILTERS))
        if name in ("select", "reject"):
            args = r.choice(["", repr(r.choice(TESTS)), repr(r.choice(TESTS)) + ", " + r.choice(ARGS)])
        elif name in ("selectattr", "rejectattr"):
            args = r.choice(ATTRIBUTES) + r.choice(["", ", " + repr(r.choice(TESTS)), ", " + repr(r.choice(TESTS)) + ", " + r.choice(ARGS)])
        elif name == "map" and r.random() < .7:
            args = r.choice([repr(r.choice(list(FILTERS))), repr(r.choice(list(FILTERS))) + ", " + r.choice(ARGS), "attribute=" + r.choice(ATTRIBUTES),
                             "attribute=" + r.choice(ATTRIBUTES) + ", default=" + r.choice(ARGS), "'default', default_value='q'", "attribute=" + r.choice(ATTRIBUTES) + ", default='-'"])
        elif name in ("groupby", "attr") and r.random() < .7:
            args = r.choice(ATTRIBUTES) + r.choice(["", "", ", default='-'"])
        else:
            args = self.arguments(len(FILTERS[name]), FILTERS[name])
        text = "|" + name + (f"({args})" if args or r.random() < .1 else "")
        return text + ("|list" if name in LAZY and r.random() < .9 else "")

    def filtered(self):
        r = self.random
        text = self.value() + self.filter()
        while r.random() < .25:
            text += self.filter()
        return "{{ " + text + " }}"

    def tested(self):
        r = self.random
        name = r.choice(TESTS)
        arg = r.choice(["", "", " " + r.choice(ARGS), "(" + self.arguments(1) + ")"])
        value = r.choice(OBJECTS) if r.random() < .1 else self.value()
        return "{{ " + value + " is " + r.choice(["", "not "]) + name + arg + r.choice(["", "", " and true", " ~ 'z'", " or 0", " == true"]) + " }}"

    def percent(self):
        r = self.random
        spec = lambda: ("%" + r.choice(["", "", "", "(a)", "(k)"]) + r.choice(["", "", "#", "0", "-", " ", "+", "-0", "+ ", "#0"])
                        + r.choice(["", "", "5", "12", "*", "1"]) + r.choice(["", "", ".2", ".0", ".", ".5", ".*"]) + r.choice(["", "", "", "l", "h"])
                        + r.choice("diouxXeEfFgGcrsa%dsdsfqz"))
        form = r.choice(["", "<", "a%%"]) + "".join(spec() + r.choice(["", " ", "|"]) for _ in range(r.choice([1, 1, 2, 3])))
        values = r.choice([self.value(), self.value(), "(" + ", ".join(r.choice(VALUES) for _ in range(r.randrange(4))) + ",)",
                           "{'a': " + r.choice(VALUES) + ", 'k': " + r.choice(VALUES) + "}", "(5, " + r.choice(VALUES) + ")"])
        if r.random() < .2:
            return "{{ '" + form + "'|format(" + ", ".join([r.choice(VALUES) for _ in range(r.randrange(3))] + ["a=" + r.choice(VALUES)] * (r.random() < .3)) + ") }}"
        return "{{ '" + form + "' % " + values + " }}"

    def format(self):
        r = self.random
        spec = lambda: (r.choice(["", "", "<", ">", "^", "=", "*<", "é^", "0>", "{<"]) + r.choice(["", "", "+", "-", " "]) + r.choice(["", "", "", "z", "#"])
                        + r.choice(["", "", "0"]) + r.choice(["", "", "5", "10", "1", "{0}"]) + r.choice(["", "", "", ",", "_"]) + r.choice(["", "", ".2", ".0", ".5", "."])
                        + r.choice(["", "", "", "b", "c", "d", "e", "E", "f", "F", "g", "G", "n", "o", "s", "x", "X", "%", "q"]))
        field = lambda: ("{" + r.choice(["", "", "", "0", "1", "a", "a.b", "0[0]", "a[b]", "2", "0.real", "a[0][k]", "0.upper"]) + r.choice(["", "", "", "!r", "!s", "!a", "!z"])
                         + r.choice(["", ":" + spec(), ":" + spec()]) + r.choice(["}", "}", "}", "}", "}", "}", "}}", ""]))
        form = "".join(r.choice(["", " ", "{{", "}}", "x"]) + field() for _ in range(r.choice([1, 1, 2])))
        args = [r.choice(VALUES) for _ in range(r.randrange(1, 3))] + (["a=" + r.choice(VALUES)] if r.random() < .5 else [])
        return "{% set q = '" + form.replace("{{", "{' ~ '{").replace("}}", "}' ~ '}").replace("{%", "{' ~ '%") + "' %}{{ q.format(" + ", ".join(args) + ") }}"

    def slice(self):
        r = self.random
        at = lambda: r.choice(["", "", "0", "1", "-1", "2", "-2", "100", "-100", "none", "n", "true", "1.0", "'a'", "x"])
        value = r.choice(["s", "u", "e", "l", "d", "n", "nil", "words", "nested", "text", "t", "x", "range(9)", "s.split()", "'a'|safe"]) # no constants: Jinja2 forgives those what it does not forgive others
        part = r.choice([at() + ":" + at(), at() + ":" + at() + ":" + r.choice(["", "1", "-1", "2", "-2", "0", "none"]), r.choice(ARGS), r.choice(ARGS), "1, 2", ":", "::"])
        return "{{ (" + value + ")[" + part + "]" + r.choice(["", "", "", "[0]", ".a", "|list", "[::-1]"]) + " }}"

    def attribute(self):
        r = self.random
        name = r.choice(["a", "b", "name", "0", "1", "-1", "items", "keys", "real", "imag", "__class__", "__len__", "_x", "upper", "n", "start", "alpha.port", "tags.0", "count"])
        return "{{ " + self.value() + "." + name + r.choice(["", "", "()", ".x", "|default('D')", " is defined", "[0]"]) + " }}"

    def template(self):
        return self.random.choice([self.method, self.method, self.changed, self.filtered, self.filtered, self.filtered, self.tested, self.percent, self.format, self.slice, self.attribute])()
