"""A function's definition is found in its file, with its positions, and told from others."""

import ast
import linecache

import pytest

from gradtape.tracing.autograph import source

from .programs import compiled


def text_of(f):
    return ast.unparse(source.definition(f))


def test_positions_are_those_of_the_file():
    def inner(
        a,
        b=(1, 2),
    ):
        return [a, b]

    node = source.definition(inner)
    assert node.lineno == inner.__code__.co_firstlineno
    (statement,) = node.body
    line = linecache.getline(__file__, statement.lineno)
    assert line[statement.col_offset :].startswith("return [a,")


def test_only_the_definition_is_parsed(monkeypatch):
    monkeypatch.setattr(source, "_tree", lambda *_: pytest.fail("the whole file was parsed"))
    assert text_of(text_of).startswith("def text_of(f):")
    assert text_of(test_positions_are_those_of_the_file).startswith("def test_positions")


def test_a_definition_that_cannot_be_parsed_alone():
    f = compiled("if True:\n        def f(x):\n            return (\n    x)\n", "f")
    assert text_of(f) == "def f(x):\n    return x"
    g = compiled("def f(x):\n    pass; '''\nno code\n'''\n    pass\n", "f")
    assert text_of(g).startswith("def f(x):")


def test_definitions_of_one_name():
    f = compiled("def f(x): return 1\nold = f\ndef f(x): return 2\n", "f")
    assert text_of(f) == "def f(x):\n    return 2"
    assert text_of(f.__globals__["old"]) == "def f(x):\n    return 1"


def test_lambdas():
    fs = [lambda x: x + 1, lambda x: x + 2, lambda y: y]
    assert [text_of(f) for f in fs] == ["lambda x: x + 1", "lambda x: x + 2", "lambda y: y"]
    nested = lambda x: lambda x: x * 2
    assert text_of(nested) == "lambda x: lambda x: x * 2" and text_of(nested(0)) == "lambda x: x * 2"
    constants = [lambda: 1, lambda: 1]
    assert [text_of(f) for f in constants] == ["lambda: 1", "lambda: 1"]


def test_no_definition():
    env = {}
    exec("def f(): pass", env)  # Python 3.13 keeps the source of "python -c" under the same name
    with pytest.raises(source.NoSource, match=r"not available|has changed"):
        source.definition(env["f"])
    f = compiled("def f(x): return x\n", "f")
    linecache.cache[f.__code__.co_filename] = 0, None, ["this is no Python\n"], f.__code__.co_filename
    with pytest.raises(source.NoSource, match="not Python"):
        source.definition(f)
    linecache.cache[f.__code__.co_filename] = 0, None, ["def f(y): return y\n"], f.__code__.co_filename
    with pytest.raises(source.NoSource, match="has changed"):
        source.definition(f)


def test_the_class_of_a_method():
    class A:
        def m(self):
            def inner():
                class B:
                    def n(self): ...

                return B, lambda: 0

            return inner

    inner = A().m()
    b, function = inner()
    names = [source.class_of(f.__code__) for f in (A.m, inner, b.n, function, text_of, test_lambdas)]
    assert names == ["A", "A", "B", "A", None, None]


@pytest.mark.parametrize(
    ("name", "owner", "expected"),
    [
        ("__x", "A", "_A__x"),
        ("__x", "_A", "_A__x"),
        ("__x__", "A", "__x__"),
        ("_x", "A", "_x"),
        ("__x", "__", "__x"),
        ("__x", None, "__x"),
    ],
)
def test_private_names(name, owner, expected):
    assert source.mangled(name, owner) == expected
