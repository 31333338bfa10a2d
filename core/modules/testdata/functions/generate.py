#!/usr/bin/env python3
"""Write cases.json: what Salt's own functions answer to templates, for TestSaltFunctions.

Run it with a Python that has Salt: python3 generate.py > cases.json
"""
import itertools
import json
import logging

import jinja2
import jinja2.sandbox
import salt.modules.config as config
import salt.modules.defaults as defaults
import salt.modules.grains as grains_
import salt.modules.pillar as pillar_
import salt.modules.slsutil as slsutil
import salt.utils.jinja

try:
    import salt.utils.secret

    salt.utils.secret.mask_pillar.set(False)
except ImportError:
    pass
logging.disable(logging.CRITICAL)

FACTS = {
    "os": "Ubuntu", "os_family": "Debian", "osrelease": "22.04", "oscodename": "jammy", "id": "web1", "roles": ["web", "db"],
    "nested": {"a": {"b": [1, 2]}, "x:y": 5}, "num": 3, "flag": True, "kernel": "Linux", "empty": {}, "real": 2.0, "shared": {"both": "grain", "g": 1},
    "path": "a/b", "nothing": None,
}
SETTINGS = {
    "a": {"b": {"c": 1, "l": [1, 2]}, "s": "str"}, "list": [{"k": "v1"}, {"k": "v2"}], "none": None, "f": False, "z": 0,
    "nginx": {"lookup": {"pkg": "n", "conf": {"x": 1}, "l": [1, 2]}}, "d.e": "dot", "shared": {"p": 1, "both": "pillar"}, "master": {"deep": {"m": 1}},
    "users": {"zoe": {"uid": 2}, "adam": {"uid": 1}, "none": None},
}
OPTS = {"id": "web1", "pillar_raise_on_missing": False}


def functions():
    table = {}
    for module, name, names in (
        (grains_, "grains", "get fetch filter_by item has_value"),
        (pillar_, "pillar", "get keys item raw"),
        (slsutil, "slsutil", "merge merge_all update boolstr"),
        (defaults, "defaults", "merge update deepcopy"),
        (config, "config", "get option"),
    ):
        module.__grains__, module.__pillar__, module.__opts__ = FACTS, SETTINGS, OPTS
        module.__salt__, module.__context__, module.__utils__ = table, {}, {}
        for function in names.split():
            table[f"{name}.{function}"] = getattr(module, function)
    return table


def calls(function, *arguments):
    for given in itertools.product(*arguments):
        yield "{{ salt['%s'](%s) }}" % (function, ", ".join(a for a in given if a))


def templates():
    yield from calls(
        "grains.filter_by",
        ["{'Debian': {'pkg': 'a', 'n': {'x': 1}}, 'default': {'pkg': 'd', 'n': {'y': 2}}}", "{'Ubuntu': {'p': 1}, 'Debian': {'p': 2}}",
         "{'Deb*': {'g': 1}, 'Debian': {'e': 1}, 'default': 3}", "{}", "{'3': 'three', 3: 'int', true: 'yes', none: 'null'}", "{'db': 'D', 'web': 'W'}",
         "{'base': {'a': 1, 'c': {'d': 1}}, 'Debian': {'c': {'e': 2}}}", "{'Debian': {'l': [1]}, 'base': {'l': [2], 's': 's'}}",
         "{'Debian': 'str', 'base': 'b'}", "{'Debian': none, 'default': 'd'}", "{'Debian': {80: 'x'}, 'a*': 'slash', '2.0': 'real'}", "{'[!A]*': 'class', '[': 'open'}"],
        ["", "grain='os'", "grain='roles'", "grain='nope'", "grain='num'", "grain='flag'", "grain='path'", "grain='real'", "grain='nothing'",
         "merge={'pkg': 'M', 'n': {'z': 9}}", "base='base'", "default='Debian'", "grain='nested:a:b'", "merge={'l': [3]}, base='base'", "merge=none",
         "merge=[1]", "merge=salt['pillar.get']('nginx:lookup')", "grain='nope', base='base'", "'id', none, none"],
    )
    yield from calls(
        "pillar.get",
        ["'a'", "'a:b'", "'a:b:c'", "'a:b:l:0'", "'a:b:l:-1'", "'a:b:l'", "'nope'", "'a:nope'", "'list:1:k'", "'list:k'", "'none'", "'none:x'", "'f'", "''",
         "'a|b|c'", "'d.e'", "'a:s:t'", "1", "'list'"],
        ["", "'D'", "default={'b': {'q': 1, 'l': [0]}}, merge=True", "none", "{'m': 1}, true", "[9, 1], merge=true", "'x', delimiter='|'", "merge=True",
         "{'l': [5, 1]}, true, true", "{'b': {'l': [0, 1]}}, merge=true, merge_nested_lists=true", "{2: 'b', 'a': [{1: 2}]}", "(1, 2)", "{'t': (1, 2)}"],
    )
    keys = ["'os'", "'nested:a'", "'nested:a:b'", "'nested:a:b:1'", "'nested|a'", "'nope'", "'roles:-1'", "'roles:web'", "'nested:x:y'", "'num'", "'shared'", "'master'",
            "'deep:m'", "'a:b:c'", "'shared:both'", "'nested.a'", "'none'"]
    yield from calls("grains.get", keys, ["", "'D'", "default=none", "'D', delimiter='|'", "'D', ordered=False", "{'z': 1, 'a': 2}"])
    yield from calls("config.get", keys, ["", "'D'", "default=none", "'D', '|'", "omit_grains=True", "'D', omit_pillar=True", "omit_master=True", "{1: 2}"])
    yield from calls("config.option", keys, ["", "'D'", "omit_grains=True", "'D', omit_pillar=True"])
    yield from calls("grains.has_value", keys)
    yield from calls("grains.fetch", ["'os'", "'nope'"])
    yield from calls("grains.item", ["'os'", "'os', 'id'", "'nope'", "'nested:a', 'nothing'"], ["", "default='x'", "default=none", "delimiter='|'"])
    yield from calls("pillar.item", ["'a'", "'z', 'f', 'none'", "'nope'", "'users:zoe'"], ["", "default='x'", "default=none", "delimiter='|'"])
    yield from calls("pillar.keys", ["'a'", "'nope'", "'a:b'", "'list'", "'a|b', '|'", "'users'"])
    yield from calls("pillar.raw", ["'a'", "'nope'", "key='users'"])
    pairs = ["{'a': 1, 'b': {'c': 1}}", "{'l': [1], 'b': 2}", "{}", "{'l': {'k': [1.0, 'x']}}"]
    over = ["{'b': {'d': 2}}", "{'l': [1, 2, true]}", "{'a': {'x': 1}}", "{'l': {'k': [1, 'y']}}", "{}", "{'b': {'c': none}}"]
    yield from calls("slsutil.merge", pairs, over, ["", "merge_lists=True", "strategy='overwrite'", "strategy='recurse'", "strategy='list'", "'smart', 'yaml', true"])
    yield from calls("slsutil.update", pairs, over, ["", "merge_lists=True", "recursive_update=False"])
    yield from calls("defaults.merge", pairs + ["none"], over + ["none", "[1]"], ["", "true", "in_place=False", "convert_none=False"])
    yield from calls("defaults.update", ["{'h1': {'i': 1, 'l': [2]}, 'h2': none}", "{}", "none"], ["{'e': True, 'l': [1]}", "none", "{}"],
                     ["", "merge_lists=False", "in_place=False", "convert_none=False"])
    yield from calls("slsutil.merge_all", ["[{'a': 1}, {'b': 2}, {'a': {'c': 3}}]", "[]", "[{'l': [1]}, {'l': [2]}], merge_lists=True"])
    yield from calls("slsutil.boolstr", ["true", "false", "none", "[]", "{}", "'x'", "0", "0.0", "(1,)"], ["", "'yes', 'no'", "true=1"])
    yield "{{ salt['slsutil.merge']({'a': 1}, {'b': 2}, strategy='aggregate') }}"
    yield "{{ salt['pillar.get']('a:s', pillarenv=none, saltenv=none) }}"
    yield from (
        "{% set d = {'a': {'b': 1}} %}{% do salt['defaults.merge'](d, {'a': {'c': 2}, 'x': [1]}) %}{{ d }}",
        "{% set d = {'a': {'b': 1}} %}{% set e = salt['defaults.merge'](d, {'a': {'c': 2}}, in_place=False) %}{{ d }}{{ e }}",
        "{% set d = {'a': {'b': 1}} %}{% set e = salt['defaults.merge'](d, {'c': 2}) %}{% do e.update({'n': 1}) %}{{ d }}",
        "{% set d = {'a': {'b': 1}} %}{% set in = d.a %}{% do salt['slsutil.update'](d, {'a': {'c': 2}}) %}{{ in }}",
        "{% set d = {} %}{% set u = {'k': [1]} %}{% do salt['slsutil.update'](d, u) %}{% do u.k.append(2) %}{{ d }}",
        "{% set d = {'z': {'i': 1}} %}{% do salt['defaults.update'](d, {'e': [1]}) %}{{ d }}",
        "{% set d = {'a': {'b': 1}} %}{% set e = salt['defaults.deepcopy'](d) %}{% do e.a.update({'n': 1}) %}{{ d }}{{ e }}",
        "{% set d = {'a': {'b': 1}} %}{% set e = salt['slsutil.merge'](d, {'a': {'c': 1}}) %}{% do e.a.update({'n': 1}) %}{{ d }}{{ e }}",
        "{% set m = {'Debian': {'p': 1}} %}{% set e = salt['grains.filter_by'](m) %}{% do e.update({'n': 1}) %}{{ m }}",
        "{% set d = {'l': []} %}{% set e = salt['pillar.get']('nope', d) %}{% do e.l.append(1) %}{{ d }}",
        "{% set d = [1] %}{% set e = salt['pillar.get']('nope', d) %}{% do e.append(2) %}{{ d }}",
        "{% set d = [1] %}{% set e = salt['pillar.get']('list', d, merge=True) %}{% do e.append(2) %}{{ d }}{{ e }}",
        "{% set d = {'n': 123456789012345678901234567890} %}{% do salt['slsutil.update'](d, {'a': 1}) %}{{ d }}",
        "{{ salt['slsutil.merge']({'p': {80: 'a'}}, {'q': {443: 'b'}}) }}",
        "{% set d = {'p': {80: 'a'}} %}{% do salt['defaults.merge'](d, {'q': {443: 'b'}}) %}{{ d }}",
        "{{ salt['pillar.get']('nope', undefined_name) }}",
        "{{ salt['pillar.get']() }}",
        "{{ salt['pillar.get']('a', nope=1) }}",
    )


# What Zester refuses, for a reason that its error tells, and Salt does.
REFUSED = {
    "a mapping with keys that are not text cannot be merged": lambda t: "'Debian': {80: 'x'}" in t and ("merge={" in t or "merge=salt" in t),
    'strategy "aggregate" belongs to Salt\'s yamlex renderer': lambda t: "aggregate" in t,
}


def main():
    table = functions()
    environment = jinja2.sandbox.SandboxedEnvironment(
        undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols", salt.utils.jinja.SerializerExtension])
    environment.finalize = None
    before = json.dumps([FACTS, SETTINGS])
    cases = []
    for template in dict.fromkeys(templates()):
        try:
            case = {"template": template, "expected": environment.from_string(template).render(salt=table, grains=FACTS, pillar=SETTINGS)}
        except Exception as error:  # whatever Salt raises
            case = {"template": template, "error": type(error).__name__}
        assert json.dumps([FACTS, SETTINGS]) == before, template
        case.update({"refused": reason for reason, meant in REFUSED.items() if meant(template)})
        cases.append(json.dumps(case, ensure_ascii=False))
    print('{"facts": %s,\n"settings": %s,\n"cases": [' % (json.dumps(FACTS), json.dumps(SETTINGS)))
    print(",\n".join(cases))
    print("]}")


main()
