"""Random templates that put variables, loops, macros, imports and blocks into each other."""
import random

NAMES = ["a", "n", "e", "x", "zero"]
EXPRESSIONS = ["1", "2", "'s'", "a", "n", "e", "x", "[a, n]", "(a|default(0)) ~ 1", "x is defined", "{'k': a}", "l",
               "range(2)", "n|default('D')", "none", "ns.v"]
ITERABLES = ["[1, 2]", "range(3)", "l", "[a, n]", "'ab'", "[]", "d", "[[1, 2], [3, 4]]"]
IMPORTS = ["{% include 'i1' %}", "{% include 'i2' %}", "{% include 'i1' without context %}",
           "{% from 'l1' import a, f %}{{ f(1) }}", "{% from 'l1' import n with context %}{{ n }}",
           "{% import 'l1' as x %}{{ x.a }}{{ x.f(2) }}", "{% import 'l2' as z with context %}{{ z }}{{ z.q }}{{ z.g() }}"]
CHANGES = ["{% if l|length < 5 %}{% do l.append(1) %}{% endif %}", "{% set ns.v = ns.v + 1 %}", "{% set a, n = 1, 2 %}",
           "{% do d.update({'n': 1}) %}"]
JUMPS = ["{% if x %}{% break %}{% endif %}", "{% if a == 2 %}{% continue %}{% endif %}", "{% continue %}", "{% break %}"]
MACROS = ("{% set ns = namespace(v=0) %}{% macro m0() %}m0{% endmacro %}{% macro m1(p) %}m1{{ p }}{{ a }}{% endmacro %}"
          "{% macro m2() %}{{ caller() if caller else 'nc' }}{% endmacro %}")
REST = "|{{ a }}{{ n }}{{ e }}{{ x }}{{ zero }}{{ l }}{{ ns.v }}"


class Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.blocks = 0

    def template(self):
        self.blocks = 0
        return MACROS + self.body(4, False) + REST

    def body(self, depth, loop):
        return "".join(self.statement(depth, loop) for _ in range(self.random.randrange(1, 4)))

    def statement(self, depth, loop):
        pick, name = self.random.choice, self.random.choice(NAMES)
        inner = lambda in_loop=loop: self.body(depth - 1, in_loop)
        kind = self.random.randrange(21)
        if depth <= 0 or kind < 5:
            return pick(["{{ " + pick(EXPRESSIONS) + " }};", "{{ " + name + "|default('-') }};", "t",
                         "{% set " + name + " = " + pick(EXPRESSIONS) + " %}", "{{ loop.index|default('nl') }};"])
        if kind < 8:
            test = pick(["", "", " if a", " if x is defined", f" if {name} != 1", " if false"])
            other = "{% else %}E" + inner() if self.random.random() < .3 else ""
            return "{% for " + name + " in " + pick(ITERABLES) + test + " %}" + inner(True) + other + "{% endfor %}"
        if kind < 11:
            other = pick(["", "{% else %}" + inner(), "{% elif " + name + " %}" + inner()])
            return "{% if " + pick(["a", "x is defined", "true", "false", name, "not n"]) + " %}" + inner() + other + "{% endif %}"
        if kind == 11:
            return "{% with " + name + " = " + pick(EXPRESSIONS) + " %}" + inner() + "{% endwith %}"
        if kind in (12, 13):
            extra = pick(["", "", "{{ varargs }}{{ kwargs|length }}", "{{ caller() if caller is defined else '' }}"])
            return ("{% macro m" + pick("012") + "(" + pick(["", "p", "p, q=1", "p=a", "a", "a, n=a", "x=x"]) + ") %}["
                    + inner(False) + extra + "]{% endmacro %}")
        if kind == 14:
            return "{{ m" + pick("012") + "(" + pick(["", "1", "1, 2", "p=3", "a=1", "n", "q=2, p=1"]) + ") }};"
        if kind == 15:
            return "{% call m" + pick("012") + "(" + pick(["", "1"]) + ") %}" + inner(False) + "{% endcall %}"
        if kind == 16:
            return "{% set " + name + " %}" + inner() + "{% endset %}"
        if kind == 17:
            return "{% filter upper %}" + inner() + "{% endfilter %}"
        if kind == 18:
            return pick(IMPORTS)
        if kind == 19:
            return pick(JUMPS) if loop else pick(CHANGES)
        self.blocks += 1
        return f"{{% block b{self.blocks} {pick(['', 'scoped '])}%}}" + inner(False) + "{% endblock %}"
