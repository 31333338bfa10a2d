"""Random documents: white space, comments, raw blocks, strings and operators in odd places, inheritance, imports."""
import random

SPACE = ["", "", " ", "  ", "\n", "\n\n", " \n", "\n  ", "\t", "\r\n", "\n \n"]
WORDS = ["a", "b:", "- x", "é", "{", "}", "%", "#", "{ {", "} }", "'", '"', "\\", "{{ '{{' }}", "$", "&", "<i>", "##", "%%", "{'a': 1}", "# c", "-", "+"]
TOKENS = ["1", "n", "s", "'a'", '"b"', "+", "-", "*", "/", "//", "%", "**", "~", "(", ")", "[", "]", "{", "}", ",", ".", ":", "|", "==", "!=", "<", "<=", ">", ">=", "=", "not",
          "and", "or", "is", "in", "if", "else", "none", "true", "x", "upper", "defined", "default", "1.5", "0x", "1_0", "'a", "!", "@", "$", ";", "loop", "l", "d", "a", "&", "?", "\\"]


class Author:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.count = 0

    def open(self, mark="%"):
        return "{" + mark + self.random.choice(["", "", "", "-", "-", "+"])

    def close(self, mark="%"):
        return self.random.choice(["", "", "", "-", "-", "+" if mark == "%" else ""]) + mark + "}"

    def tag(self, words):
        r = self.random
        gap = r.choice([" ", " ", " ", "\n", "  ", "\t"])
        return self.open() + gap + words + gap + self.close()

    def text(self):
        r = self.random
        return "".join(r.choice(SPACE) + r.choice(WORDS) for _ in range(r.randrange(3))) + r.choice(SPACE)

    def say(self):
        r = self.random
        value = r.choice(["n", "s", "1", "'a\\nb'", "\"\\\"q\\\"\"", "'%}'", "'}}'", "'{{'", "'#}'", "l", "d", "[1,\n 2,]", "{'a':\n1,}", "(1,)", "n if t", "f(1,)", "'a' 'b'", "'é\\u00e9'", "{}", "{'a': {'b': 1}}['a']['b']",
                          "{'a': {}}", "{'a': {'b': 1}}", "e", "x", "'\\x41\\\n'", "loop.index", "''", "'\\t'", "n -1", "n- 1", "- n", "n|string", "-1|abs", "not n", "a.b"])
        return self.open("{").replace("+", r.choice(["+", ""])) + r.choice([" ", "", "\n"]) + value + r.choice([" ", " ", "\n"]) + r.choice(["", "", "-"]) + "}}"

    def garbage(self):
        r = self.random
        return "{{ " + " ".join(r.choice(TOKENS) for _ in range(r.randrange(1, 6))) + " }}"

    def comment(self):
        r = self.random
        return self.open("#") + r.choice(["", " c ", "\n", " {{ x }} ", "{% if %}", " é ", " # ", "-", "+"]) + self.close("#").replace("+", "")

    def body(self, depth):
        return "".join(self.part(depth) for _ in range(self.random.randrange(1, 4)))

    def part(self, depth):
        r = self.random
        kind = r.randrange(20)
        if depth <= 0 or kind < 5:
            return r.choice([self.text, self.text, self.say, self.comment])()
        inner = lambda: self.body(depth - 1)
        if kind < 7:
            return self.tag("if " + r.choice(["t", "no", "x is defined", "n > 5", "not e", "1 == 1.0"])) + inner() + r.choice(["", self.tag("else") + inner(), self.tag("elif no") + inner() + self.tag("else") + inner()]) + self.tag("endif")
        if kind < 9:
            head = r.choice(["i in l", "i in [1, 2]", "k, v in d.items()", "i in []", "a, b in [(1, 2), (3, 4)]", "i in 'ab'", "i in l if i > 1", "i in range(2)", "c in users", "a, (b, c) in [(1, (2, 3))]", "a in e", "i in x", "i in l recursive", "i in n", "a, b in l", "loop in l", "k in d"])
            say = r.choice(["{{ loop.index }}", "{{ loop.first }}{{ loop.last }}", "{{ loop.revindex }},{{ loop.index0 }}", "{{ loop.length }}", "{{ loop.previtem }}|{{ loop.nextitem }}", "{{ loop.cycle('o', 'e') }}", "{{ loop.changed(i) }}",
                            "{{ loop.depth }}{{ loop.depth0 }}", "{{ i }}{{ k }}{{ v }}", "{% if loop.index == 2 %}{% continue %}{% endif %}", "{% if loop.last %}{% break %}{% endif %}", "{{ loop.nope }}", "{{ loop.revindex0 }}", "{% set z = loop.index %}{{ z }}"])
            return self.tag("for " + head) + say + inner() + r.choice(["", "", self.tag("else") + inner()]) + self.tag("endfor")
        if kind == 9:
            return self.tag("raw") + self.text() + r.choice(["", "{{ x }}", "{% if %}", "{#"]) + self.tag("endraw")
        if kind == 10:
            return self.tag("set z = " + r.choice(["1", "n", "[1]", "'q'", "1, 2", "z"])) + r.choice(["", "{{ z }}"])
        if kind == 11:
            return self.tag("set z" + r.choice(["", " | upper", " | trim", " | indent(2) | upper", " | replace('a', 'b')"])) + inner() + self.tag("endset") + "[{{ z }}]"
        if kind == 12:
            self.count += 1
            name = f"m{self.count}"
            head = r.choice(["()", "(a)", "(a, b=1)", "(a, b=a)", "(a=1, b=2)", "(x=n)"])
            call = r.choice(["()", "(1)", "(1, 2)", "(a=3)", "(b=4)", "(1, 2, 3)", "(1, z=2)", "(*l)", "(**{'a': 1})", "(1, a=1)"])
            body = r.choice(["{{ a }}{{ b }}", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}", "{{ " + name + ".name }}{{ " + name + ".arguments }}"])
            use = r.choice(["{{ " + name + call + " }}", self.tag(f"call {name}{call}") + inner() + self.tag("endcall")])
            return self.tag("macro " + name + head) + body + inner() + self.tag("endmacro") + use
        if kind == 13:
            return self.tag("filter " + r.choice(["upper", "trim", "indent(2, true)", "replace('a', 'o')|title", "length", "escape"])) + inner() + self.tag("endfilter")
        if kind == 14:
            return self.tag("with " + r.choice(["a = 1", "a = 1, b = a", "n = 2", ""])) + "{{ a }}{{ n }}" + inner() + self.tag("endwith")
        if kind == 15:
            return self.tag("block b%d" % r.randrange(6)) + inner() + self.tag("endblock" + r.choice(["", "", " b0"]))
        if kind == 16:
            return r.choice(["{% include 'inc' %}", "{% include 'nope' ignore missing %}", "{% include ['nope', 'inc'] %}", "{% include 'nope' %}", "{% from 'lib' import m, v as q %}{{ m(1) }}{{ q }}",
                             "{% import 'lib' as lib %}{{ lib.w }}{{ lib._p }}", "{% from 'lib' import nope %}{{ nope }}", "{% include l %}", "{% import 'lib' as lib with context %}{{ lib.m(n) }}"])
        if kind == 17:
            return "{% autoescape " + r.choice(["true", "false"]) + " %}{{ html }}{{ html|safe }}{{ '<' ~ html|e }}" + inner() + "{% endautoescape %}"
        if kind == 18 and r.random() < .3:
            return self.garbage()
        if kind == 19 and r.random() < .3:
            return "{% " + r.choice(["endif", "else", "foo", "endfor", "if", "for i", "for i in", "set", "set a", "set a =", "macro", "block", "include", "import 'lib'", "from 'lib'", "extends", "do", "raw", "call", "filter", "with a", "break", "set a.b = 1", "elif n"]) + " %}"
        return self.say()

    def chain(self):
        """A template that extends another, which may extend a third."""
        r = self.random
        depth = r.randrange(1, 4)
        sayings = ["{{ super() }}", "{{ super.super() }}", "{{ self.b1() }}", "{{ n }}", "x", "{% set q = 1 %}{{ q }}", "{{ q }}", "{{ self.nope() }}", "{% for i in l %}{{ i }}{% endfor %}", "{{ m(1) }}"]

        def blocks(level, nest=2):
            out = ""
            for _ in range(r.randrange(1, 4)):
                name = f"b{r.randrange(4)}"
                inside = r.choice(sayings) + (blocks(level, nest - 1) if nest and r.random() < .3 else "") + r.choice(["", str(level)])
                opts = r.choice(["", "", "", " scoped", " required"])
                block = "{% block " + name + opts + " %}" + ("" if opts == " required" and r.random() < .8 else inside) + "{% endblock %}"
                if r.random() < .15:
                    block = "{% for i in [1, 2] %}" + block + "{% endfor %}"
                if r.random() < .1:
                    block = "{% if " + r.choice(["t", "no"]) + " %}" + block + "{% endif %}"
                out += block + r.choice(["", "|", "\n"])
            return out
        files = {}
        for level in range(depth):
            head = "{% extends " + r.choice([f"'p{level + 1}'"] * 6 + ["'p' ~ %d" % (level + 1), "'nope'", f"['nope', 'p{level + 1}']" if r.random() < .3 else f"'p{level + 1}'"]) + " %}" if level < depth - 1 else ""
            pre = r.choice(["", "", "before{{ n }}", "{% set q = 5 %}", "{% macro m(a) %}M{{ a }}{% endmacro %}", "{% import 'lib' as lib %}"])
            files[f"p{level}"] = r.choice([head + pre, pre + head]) + blocks(level)
        top = files.pop("p0")
        return {"template": top, "files": files}

    def template(self):
        self.count = 0
        if self.random.random() < .25:
            return self.chain()
        return self.body(3)
