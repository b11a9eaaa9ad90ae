"""What branches and loops carry: what they change and what matters afterwards, no more."""

import ast

import pytest

from gradtape.tracing.autograph import to_code

from .programs import compiled


def carried(source):
    """For each operator in the text of a function, outermost first: (its name, its variables, what must be set, what is put back)."""
    found = []
    for n in ast.walk(ast.parse(to_code(compiled(source, "f")))):
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in ("if_", "while_", "for_"):
            names = [a for a in n.args if isinstance(a, ast.Lambda) and isinstance(a.body, ast.Tuple)]
            lists = [" ".join(x.id for x in a.body.elts) for a in names]
            needs = next(ast.literal_eval(a) for a in n.args if isinstance(a, ast.Tuple))
            found.append((n.func.attr, lists[0], tuple([" ".join(x) for x in needs]), *lists[1:]))
    return found


CASES = {
    "what is used afterwards": (
        "def f(x):\n    if x:\n        a = b = 1\n    else:\n        a = c = 2\n    return a\n",
        [("if_", "a", ("a", "a"))],
    ),
    "nothing": ("def f(x):\n    if x:\n        a = 1\n    return x\n", [("if_", "", ("", ""))]),
    "overwritten before it is used": (
        "def f(x):\n    if x:\n        a = 1\n    a = 2\n    return a\n",
        [("if_", "", ("", ""))],
    ),
    "read in a branch before it is overwritten": (
        "def f(x):\n    t = x\n    if x:\n        t = t + 1\n        y = t\n    else:\n        y = t\n    return y\n",
        [("if_", "y", ("y", "y"), "t")],
    ),
    "a branch that returns needs nothing else": (
        "def f(x):\n    if x:\n        return 1\n    a = x\n    return a\n",
        [("if_", "ag__result", ("", ""))],
    ),
    "loop state": (
        "def f(x):\n    i = s = 0\n    while i < x:\n        t = i\n        s = s + t\n        i = i + 1\n    return s\n",
        [("while_", "i s", ("s", ""))],
    ),
    "loop target": (
        "def f(x):\n    s = 0\n    for i in x:\n        s = s + i\n    return s\n",
        [("for_", "s", ("s", ""))],
    ),
    "nor does one whose with or try returns": (
        "def f(x):\n    a = x\n    if x:\n        a = 1\n        with x:\n            return 1\n    elif g(x):\n        try:\n            return 2\n        except KeyError:\n            return 3\n    return a\n",
        [
            ("if_", "ag__result", ("", "")),
            ("if_", "a ag__result ag__returned", ("", "a")),
            ("if_", "ag__result ag__returned", ("", "")),
        ],
    ),
    "loop target used afterwards": (
        "def f(x):\n    for i in x:\n        pass\n    return i\n",
        [("for_", "i", ("i", ""))],
    ),
    "read in the next turn": (
        "def f(x):\n    a = b = 0\n    for i in x:\n        b = a\n        a = i\n    return b\n",
        [("for_", "a b", ("b", ""))],
    ),
    "a break needs what is used behind the loop": (
        "def f(x):\n    for i in x:\n        a = i\n        if a:\n            b = 1\n            break\n        b = 2\n        c = b\n    return b\n",
        [("for_", "ag__break b", ("b", "")), ("if_", "ag__break b", ("b", "b")), ("if_", "ag__break b", ("b", "b"))],
    ),
    "what a lambda reads may matter later": (
        "def f(x):\n    n = 0\n    g = lambda: n\n    if x:\n        n = 1\n    return g()\n",
        [("if_", "n", ("", ""))],
    ),
    "what a handler reads may matter": (
        "def f(x):\n    n = 0\n    try:\n        if x:\n            n = 1\n        n = 2\n        g(x)\n    except KeyError:\n        return n\n    return 0\n",
        [("if_", "n", ("", "")), ("if_", "ag__result", ("", ""))],
    ),
    "names of an outer scope always matter": (
        "def f(x):\n    global n\n    if x:\n        n = 1\n    n = 2\n",
        [("if_", "n", ("", ""))],
    ),
}


@pytest.mark.parametrize(("source", "expected"), CASES.values(), ids=CASES)
def test_carried(source, expected):
    assert sorted(set(carried(source))) == sorted(set(expected))
