#!/usr/bin/env python3
"""Compares zester's templates with Jinja2's, byte for byte.

    diff.py run ZESTER [SEED [TIMES]]   render every template with Jinja2 and with "ZESTER render", print what differs
    diff.py golden                      print what Jinja2 makes of every template, as goldens.json holds it

Needs Jinja2 3.1 (Debian: python3-jinja2). The templates are those of templates.txt, one a line, which use every
filter and test of Jinja2, and generated ones: expressions, nests of statements, calls of every method, filter and
test with odd arguments, and documents with odd white space, tags and inheritance; other ones for another SEED, and
TIMES as many. Each is rendered with lenient and with strict undefined names.
"""
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import warnings

import jinja2
import jinja2.sandbox

sys.dont_write_bytecode = True
import calls  # noqa: E402
import documents  # noqa: E402
import statements  # noqa: E402

warnings.simplefilter("ignore")  # Python's, about what the templates do
HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 20
COUNTS = {"expressions": 400, "statements": 150, "calls": 700, "documents": 250}

ATOMS = ["1", "0", "-3", "7", "2.5", "0.5", "true", "false", "none", "''", "'a'", "'Hello World'", "'a,b,c'", "'42'",
         "[]", "[3, 1, 2]", "['b', 'A', 'c']", "()", "(1, 'x')", "{}", "{'a': 1, 'b': 2}", "{'k': [1, 2], 'z': none}",
         "n", "f", "s", "u", "l", "d", "words", "nested", "users", "mixed", "e", "nil", "x", "neg", "big", "range(4)",
         "path", "d.alpha", "users[0]", "l[0]", "users[2].extra", "'%s-%s'", "[1, [2, 'q']]", "1e3", "10**12"]
SEQUENCES = ["l", "words", "s", "u", "nested", "mixed", "'Hello World'", "(1, 'x', 3)", "[3, 1, 2]", "path", "text"]
METHODS = ["upper()", "lower()", "strip()", "split()", "split(',')", "title()", "replace('a', 'b')", "startswith('H')",
           "find('o')", "zfill(5)", "items()", "keys()", "values()", "get('a')", "get('k', 'dflt')", "copy()",
           "index(1)", "count('a')", "splitlines()", "join(['x', 'y'])", "format(1, 2)", "partition('o')",
           "isdigit()", "center(9)", "rjust(6, '*')", "capitalize()", "swapcase()", "encode()", "rsplit(',', 1)"]
FILTERS = ["abs", "capitalize", "count", "default('D')", "default('D', true)", "dictsort", "e", "first", "last",
           "float", "int", "join(',')", "join", "length", "list", "lower", "upper", "max", "min", "round", "round(1)",
           "sort", "sort(reverse=true)", "string", "sum", "title", "tojson", "trim", "unique|list", "wordcount",
           "urlencode", "map('string')|list", "map('upper')|list", "select|list", "reject('none')|list",
           "batch(2)|list", "slice(2)|list", "replace('a', 'Z')", "truncate(5, true)", "indent(2)", "center(8)",
           "items|list", "pprint", "filesizeformat", "striptags", "format(1)", "map('length')|list", "reverse|list",
           "select('number')|list", "wordwrap(6)", "map(attribute='name')|list", "groupby(0)", "xmlattr", "int(5)",
           "float(1.5)", "sort(case_sensitive=true)", "dictsort(by='value')", "select('in', [1, 2, 'a'])|list",
           "map('default', 'q')|list", "urlize", "forceescape", "safe", "attr('x')", "tojson(indent=1)"]
TESTS = ["defined", "undefined", "none", "number", "string", "mapping", "sequence", "iterable", "callable", "odd",
         "even", "divisibleby 3", "lower", "upper", "boolean", "integer", "float", "true", "false", "sameas none",
         "in [1, 'a']", "eq 1", "gt 1", "ne 'a'", "escaped"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "~", "and", "or", "==", "!=", "<", "<=", ">", ">=", "in", "not in"]


def expression(r, depth):
    """A random expression; most are nonsense in one way or another."""
    if depth <= 0 or r.random() < .12:
        return r.choice(ATOMS)
    sub = lambda: expression(r, depth - 1)
    kind = r.randrange(14)
    if kind < 3:
        return f"{sub()} {r.choice(OPERATORS)} {sub()}"
    if kind == 3:
        return f"{r.choice(['2', '3', '-2', '2.5', 'n', '10'])} ** {r.choice(['2', '3', '0', '-1'])}"
    if kind == 4:
        return f"({sub()})"
    if kind == 5:
        return f"({sub()}).{r.choice(METHODS)}"
    if kind == 6:
        return f"({sub()})|{r.choice(FILTERS)}"
    if kind == 7:
        return f"{sub()}|{r.choice(FILTERS)}"
    if kind == 8:
        return f"({sub()}) is {r.choice(['', 'not '])}{r.choice(TESTS)}"
    if kind == 9:
        return f"({sub()} if {sub()} else {sub()})"
    if kind == 10:
        return f"({sub()})[{r.choice(['0', '-1', 'n'] + [repr('a')])}]"
    if kind == 11:
        return f"{r.choice(SEQUENCES)}[{r.choice(['1:', '::-1', ':2', '1:3', '-2:', '::2', '2:0:-1'])}]"
    if kind == 12:
        return "[" + ", ".join(sub() for _ in range(r.randrange(3))) + "]"
    if r.random() < .5:
        return "{'k': " + sub() + ", " + r.choice(["1", "none", "'q'", "true", "(1, 2)", "2.0"]) + ": " + sub() + "}"
    return r.choice(["not ", "-", "+"]) + sub()


def templates(seed=SEED, times=1):
    with open(os.path.join(HERE, "templates.txt")) as f:
        for line in f:
            line = line.rstrip("\n")
            if line and not line.startswith("# "):
                yield line.replace("⏎", "\n")
    for kind, count in COUNTS.items():
        yield from generate(kind, count * times, seed)


def generate(kind, count, seed):
    """Random templates of one kind, the same ones for the same seed; a dict is a template with files of its own."""
    r = random.Random(seed)
    w = statements.Writer(seed)
    make = {"expressions": lambda: "{{ " + expression(r, 3) + " }}", "statements": w.template,
            "calls": calls.Caller(seed).template, "documents": documents.Author(seed).template}[kind]
    for _ in range(count):
        yield make()


def unused():
    """The filters and tests of Jinja2 that templates.txt leaves out."""
    with open(os.path.join(HERE, "templates.txt")) as f:
        text = f.read()
    env = jinja2.Environment()
    return ([n for n in env.filters if not re.search(rf"\|\s*{n}\b", text)]
            + [n for n in env.tests if n.isalpha() and not re.search(rf"is (not )?{n}\b", text)])


def load(name):
    with open(os.path.join(HERE, name)) as f:
        return json.load(f)


def jinja(template, context, files, strict):
    """What Jinja2 prints, or the error it raises."""
    env = jinja2.sandbox.SandboxedEnvironment(
        extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], loader=jinja2.DictLoader(files),
        undefined=jinja2.StrictUndefined if strict else jinja2.Undefined)
    env.tests["match"] = lambda value, rgx: bool(re.match(rgx, value))
    try:
        return env.from_string(template).render(json.loads(context)), None
    except Exception as e:  # whatever a template can raise
        return None, f"{type(e).__name__}: {e}"


def cases(*args):
    """Every template with what Jinja2 makes of it; strict only where that differs."""
    context, shared = json.dumps(load("context.json")), load("files.json")
    for t in templates(*args):
        own = {}
        if isinstance(t, dict):
            t, own = t["template"], t["files"]
        lenient = jinja(t, context, shared | own, False)
        if lenient[0] and (re.search("(?i) at 0x", lenient[0]) or re.search("[\ud800-\udfff]", lenient[0])):
            continue  # an address, or half a character
        yield t, own, False, *lenient
        strict = jinja(t, context, shared | own, True)
        if strict[0] != lenient[0]:
            yield t, own, True, *strict


def golden():
    out = []
    for template, files, strict, text, error in cases():
        c = {"template": template}
        if files:
            c["files"] = files
        if strict:
            c["strict"] = True
        if error:
            c["expected_error"] = error
        else:
            c["expected"] = text
        out.append(json.dumps(c, ensure_ascii=False))
    print("[\n" + ",\n".join(out) + "\n]")


def write(tree, files):
    for name, text in files.items():
        with open(os.path.join(tree, name), "w", newline="") as f:
            f.write(text)


def run(zester, seed=SEED, times=1):
    total = same = 0
    with tempfile.TemporaryDirectory() as tree:
        write(tree, load("files.json"))
        for template, files, strict, text, error in cases(int(seed), int(times)):
            total += 1
            write(tree, files)
            p = subprocess.run(
                [zester, "render", "-", "--context", os.path.join(HERE, "context.json"), "--tree", tree,
                 "--undefined", "strict" if strict else "lenient"],
                input=template.encode(), capture_output=True, timeout=60)
            for name in files:
                os.remove(os.path.join(tree, name))
            if error and p.returncode == 1 and p.stderr and not p.stdout or not error and p.stdout == text.encode():
                same += 1
                continue
            print(f"--- {template!r}{' with ' + repr(files) if files else ''}{' (strict)' if strict else ''}")
            print(f"    jinja2 {error or repr(text)}")
            print(f"    zester {p.stderr.decode().strip() or repr(p.stdout.decode())}")
    for name in unused():
        print(f"no template uses {name}")
    print(f"{total} templates, {same} identical")
    return same == total and total > 0 and not unused()


if __name__ == "__main__":
    if sys.argv[1:] == ["golden"]:
        golden()
    elif 3 <= len(sys.argv) <= 5 and sys.argv[1] == "run":
        sys.exit(0 if run(*sys.argv[2:]) else 1)
    else:
        sys.exit(__doc__)
