"""Texts: by hand, in LaTeX."""

import pytest

import gradtape as tf
from gradtape import symbolic as S

x, y, z = S.variables("x y z")


@pytest.mark.parametrize(
    "e, text, hand, latex",
    [
        (x - (y - z), "x - (y - (z))", "x - y + z", "x - y + z"),
        (-(x + y) * z, "(-(x + y)) * (z)", "-(x + y)·z", r"-\left(x + y\right) z"),
        (x / y / z, "((x) / (y)) / (z)", "x/(y·z)", r"\frac{x}{y z}"),
        (x / (y / z), "(x) / ((y) / (z))", "x·z/y", r"\frac{x z}{y}"),
        (x**-2, "(x) ** (-2)", "1/x²", r"\frac{1}{x^{2}}"),
        ((-x) ** 2, "(-(x)) ** (2)", "x²", "x^{2}"),
        (-(x**2), "-((x) ** (2))", "-x²", "-x^{2}"),
        (2**x, "(2) ** (x)", "2^x", "2^{x}"),
        ((x + y) ** (y + 1), "(x + y) ** (y + 1)", "(x + y)^(y + 1)", r"\left(x + y\right)^{y + 1}"),
        ((x**y) ** z, "((x) ** (y)) ** (z)", "(x^y)^z", r"\left(x^{y}\right)^{z}"),
        (x * (-2.5) + 1, "(x) * (-2.5) + 1", "-2.5·x + 1", "-2.5 x + 1"),
        (x + (-3), "x + -3", "x - 3", "x - 3"),
        (3 * x * (2 * y), "((3) * (x)) * ((2) * (y))", "6·x·y", "6 x y"),
        (x * (y + z), "(x) * (y + z)", "x·(y + z)", r"x \left(y + z\right)"),
        (tf.sqrt(x + 1) / abs(x), "(sqrt(x + 1)) / (abs(x))", "√(x + 1)/|x|", r"\frac{\sqrt{x + 1}}{\left|x\right|}"),
        (
            tf.where(x > 0, x, -y),
            "where((x) > (0), x, -(y))",
            "where(x > 0, x, -y)",
            r"\begin{cases} x & \text{if } x > 0 \\ -y & \text{otherwise} \end{cases}",
        ),
        (tf.exp(-x * x), "exp((-(x)) * (x))", "exp(-x²)", "e^{-x^{2}}"),
        (1e-7 * x, "(1e-07) * (x)", "1e-07·x", "10^{-7} x"),
        (S.Polygamma(x, n=1), "polygamma(x, n=1)", "polygamma(x, n=1)", r"\psi^{(1)}\left(x\right)"),
        (tf.sin(x) ** 2, "(sin(x)) ** (2)", "sin(x)²", r"\sin\left(x\right)^{2}"),
        (x // y, "(x) // (y)", "floordiv(x, y)", r"\operatorname{floordiv}\left(x, y\right)"),
        (2 * S.Const(3), "(2) * (3)", "6", "6"),
        ((x + 1) * 0, "(x + 1) * (0)", "0·(x + 1)", r"0 \left(x + 1\right)"),
    ],
)
def test_forms(e, text, hand, latex):
    assert (str(e), e.pretty(), e.latex()) == (text, hand, latex)


def test_names_in_latex():
    names = {
        "alpha": r"\alpha",
        "x1": "x_{1}",
        "w0_2": "w_{0,2}",
        "beta_1": r"\beta_{1}",
        "speed": r"\mathrm{speed}",
        "a_b": r"\mathrm{a\_b}",
        "lambda": r"\lambda",
    }
    for name, want in names.items():
        assert S.latex(S.Var(name)) == want


def test_notebooks_show_latex():
    assert (x / 2)._repr_latex_() == r"$\displaystyle \frac{x}{2}$"


def test_matplotlib_reads_the_latex():
    """A parser that is not ours."""
    mathtext = pytest.importorskip("matplotlib.mathtext").MathTextParser("path")
    for e in (
        tf.sin(x) / (y + 1),
        tf.sqrt(x * 2) ** 3,
        abs(x) - tf.math.lgamma(y),
        tf.exp(-x / 2),
        S.Var("alpha1") * 1e-9,
        x**y,
    ):
        for d in (e, e.diff(x)):
            mathtext.parse(f"${d.latex()}$")


def test_format():
    assert f"{x + 1:>8}" == "   x + 1"
