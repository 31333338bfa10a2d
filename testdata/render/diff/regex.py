#!/usr/bin/env python3
"""Prints regex.json: what Python's re finds and replaces with some well-known and some random patterns."""
import json
import random
import re
import sys
import warnings

warnings.simplefilter("ignore")
CASES = 700
FLAGS = [(re.I, 1), (re.M, 2), (re.S, 4), (re.X, 8), (re.A, 16)]
KNOWN = [
    # pattern, text, replacement
    (r"^(?P<key>[^=#]+)=(?P<value>.*)$", "PATH=/bin", r"\g<value>:\g<key>"),
    (r"(?i)^\s*#?\s*permitrootlogin\s.*$", "#PermitRootLogin yes\n", "PermitRootLogin no"),
    (r"(?m)^#?(Port) .*$", "#Port 22\nPort 2222\n", r"\1 22"),
    (r"(?<!\d)(\d{1,3})(?=(\d{3})+$)", "1234567", r"\1,"),
    (r"\B(?=(\d{3})+(?!\d))", "1234567", ","),
    (r"(\w+) \1", "the the cat sat sat", r"\1"),
    (r"(?P<q>['\"]).*?(?P=q)", "say 'it \"is\"' \"it's\"", "<\\g<0>>"),
    (r"[^\W\d_]+", "añb_1 жук2", "w"),
    (r"(?<=://)[^/@]+@", "http://user:pw@host/", ""),
    (r"^(?!.*prod).*$", "web-dev", "<\\g<0>>"),
    (r"^(?!.*prod).*$", "web-prod", "no"),
    (r"(a)?b(?(1)c|d)", "abc bd abd bc", "-"),
    (r"(?>a+)b", "aaab", "x"),
    (r"a++b", "aaab", "x"),
    (r"\d+(?:\.\d+){3}", "at 10.0.0.1, 192.168.1.254", "IP"),
    (r"\bé\w*\b", "été hété éa", "<\\g<0>>"),
    (r"x*", "axb", "-"),
    (r"", "ab", "-"),
    (r"$", "a\n", "END"),
    (r"a$", "a\n", "END"),
    (r"(?m)$", "a\nb\n", ";"),
    (r"\Aa|b\Z", "ab\n", "x"),
    (r"(?x) a \s b  # spaces", "a b", "x"),
    (r"(?s).+", "a\nb", "x"),
    (r"[]a]+|[^]]", "]a]b", "x"),
    (r"[a\-z]+", "a-zb", "x"),
    (r"(?i:A)b", "ab aB Ab", "x"),
    (r"ſ", "sS", "x"),
    (r"{{ *(\w+) *}}", "a {{ b }}", r"\1"),
    (r"(?P<y>\d{4})-(?P<m>\d\d)", "2024-05", r"\g<m>/\g<y>\\\n"),
    (r"(a)|(b)", "ab", r"[\1\2]"),
    (r"(a", "", ""), (r"a)", "", ""), (r"*a", "", ""), (r"a{2,1}", "", ""), (r"[b-a]", "", ""), ("\\", "", ""),
    (r"(?P<1a>x)", "", ""), (r"(?P<a>x)(?P<a>y)", "", ""), (r"(?<=a*)b", "", ""), (r"\1", "", ""), (r"(?z)", "", ""),
    (r"a", "a", r"\1"), (r"a", "a", r"\g<x>"), (r"a", "a", r"\q"), (r"a", "a", "\\"), (r"a", "a", r"\g<1"),
]
LITERALS = list("aabbcxyAB01_ -\n") + [
    "é", "ß", "K", "ſ", "٣", r"\.", r"\n", r"\t", r"\x41", r"\101", r"\0", r"\u00e9", r"\-", r"\/", "{", "}", "]", "İ", "ı", "i", "#"]
TEXT = list("aabbccxyAB01_ -\n.]{}#=i") + ["é", "É", "ß", "ẞ", "K", "ſ", "٣", "İ", "ı", "\u0301", "ж", "Ж", "²"]
REPLACEMENTS = ["-", r"<\1>", r"[\g<0>]", r"\g<n0>", r"\n\t", r"\2\1", r"\0", r"\101", r"$1 \\", r"\g<1>x"]


def character_class(r):
    items = []
    for _ in range(r.randrange(1, 4)):
        k = r.randrange(6)
        if k < 2:
            items.append(r.choice(list("abcxAB01_.^-$é]") + [r"\]", r"\-", r"\b", r"\n", "[", r"\\"]))
        elif k == 2:
            items.append(r.choice(["a-c", "0-9", "A-Z", "x-z", "а-я", "à-ÿ"]))
        elif k == 3:
            items.append("\\" + r.choice("dDsSwW"))
        else:
            items.append(r.choice("abAB10"))
    return "[" + r.choice(["", "", "^"]) + "".join(items) + "]"


def pattern(r, depth):
    sub = lambda: pattern(r, depth - 1)
    k = r.randrange(29)
    if depth <= 0 or k < 8:
        return r.choice(LITERALS)
    if k < 11:
        return character_class(r)
    if k < 13:
        return "\\" + r.choice("dDsSwWbBAZ")
    if k == 13:
        return r.choice([".", "^", "$"])
    if k == 14:
        return sub() + "|" + r.choice([sub(), ""])
    if k < 20:
        p = sub()
        if r.random() < .6 and len(p) > 1:
            p = r.choice(["(?:", "("]) + p + ")"
        return p + r.choice(["*", "+", "?", "{2}", "{1,2}", "{,2}", "{1,}", "{,}", "{", "{a"]) + r.choice(["", "", "", "?", "+"])
    if k == 20:
        return "(" + sub() + ")"
    if k < 23:
        return "(" + r.choice(["?:", "?=", "?!", "?<=", "?<!", "?>", "?P<n%d>" % r.randrange(3), "?i:", "?s-i:", "?m:", "?-i:",
                               "?x:", "?a:", "?#"]) + sub() + ")"
    if k == 23:
        return r.choice([r"\1", r"\2", "(?P=n0)", "(?P=n1)", r"\10"])
    if k == 24:
        return "(?(%s)%s|%s)" % (r.choice(["1", "n0", "2"]), sub(), sub())
    if k == 25:
        return "(" + sub() + ")" + sub() + r"\1"
    return sub() + sub()


def random_case(r):
    e = pattern(r, r.randrange(1, 5))
    if r.random() < .08:
        e = r.choice(["(?i)", "(?m)", "(?s)", "(?x)", "(?a)", "(?im)"]) + e
    flags = sum(b for _, b in FLAGS if r.random() < .12)
    text = "".join(r.choice(TEXT) if r.random() < .6 else r.choice("ab1 ") for _ in range(r.randrange(12)))
    if r.random() < .2:
        text = text.encode("ascii", "ignore").decode()
    if r.random() < .15:
        text += "\n"
    return e, flags, text, r.choice(REPLACEMENTS)


def case(expr, flags, text, replacement):
    """What Python makes of it; offsets count bytes."""
    c = {"pattern": expr, "flags": flags, "text": text, "replacement": replacement}
    at = [0]
    for ch in text:
        at.append(at[-1] + len(ch.encode()))

    def spans(m):
        return m and [-1 if i < 0 else at[i] for g in range(m.re.groups + 1) for i in m.span(g)]
    try:
        p = re.compile(expr, sum(a for a, b in FLAGS if flags & b))
    except re.error as e:
        return c | {"error": str(e)}
    c |= {"search": spans(p.search(text)), "match": spans(p.match(text)), "full": spans(p.fullmatch(text)),
          "all": [spans(m) for m in p.finditer(text)]}
    try:
        c["sub"] = p.sub(replacement, text)
    except (re.error, IndexError) as e:
        c["subError"] = str(e).split(" at position")[0]
    return c


def main():
    r = random.Random(3)
    cases = [case(e, 0, text, replacement) for e, text, replacement in KNOWN]
    cases += [case(*random_case(r)) for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else CASES)]
    print("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]")


main()
