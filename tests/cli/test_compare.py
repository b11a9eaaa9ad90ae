"""``gradtape compare``, as a user runs it."""

import pytest

PROGRAM = """
import tensorflow as tf
import beside

def f(x, y):
    s = x
    for _ in tf.range(3):
        s = tf.sin(s) * y
    return s * beside.two()

def g(v):
    return tf.reduce_sum(v ** 3)

if __name__ == "__main__":
    raise SystemExit("run as a program")
"""
BESIDE = "import tensorflow as tf\n\ndef two():\n    return 2.0\n"


@pytest.fixture
def compare(gradtape_command, home):
    (home / "mine.py").write_text(PROGRAM)
    (home / "beside.py").write_text(BESIDE)
    return lambda *args: gradtape_command("compare", *args)


def test_a_function_in_a_file(compare):
    done = compare("mine.py", "--at", "1.0,0.9")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("f at x = 1, y = 0.9:")
    for way in ("reverse", "forward", "compiled", "Richardson", "central difference", "forward difference"):
        assert f"\n{way}" in done.stdout


def test_a_vector_by_name_and_second_derivatives(compare):
    done = compare("mine.py", "--name", "g", "--at", "1,2,3", "--order", "2")
    assert done.returncode == 0, done.stderr
    assert "g at v = [1., 2., 3.]: 36" in done.stdout and "d²f/dv[0]²" in done.stdout
    assert compare("mine.py", "--name", "g", "--at", "[1,2,3]", "--order", "2").stdout.splitlines()[0] == done.stdout.splitlines()[0]  # fmt: skip


def test_functions_by_their_module_and_written_out(compare):
    assert "gamma at x = 2.5: 1.329" in compare("math:gamma", "--at", "2.5").stdout
    assert "sin at x = 0.5" in compare("tf.sin", "--at", "0.5").stdout
    done = compare("lambda x: tf.exp(x) * np.pi", "--at", "0", "--dtype", "float32")
    assert "f at x = 0: 3.14159" in done.stdout and "(float32)" in done.stdout
    done = compare("mine:g", "--at", "1,2")
    assert "g at v = [1., 2.]: 9" in done.stdout, done.stderr


def test_the_plot(compare, home):
    pytest.importorskip("matplotlib")
    done = compare("tf.sin", "--at", "0.5", "--plot", "errors.png")
    assert done.returncode == 0, done.stderr
    assert (home / "errors.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("nothing.py", "--at", "1"), "there is no file nothing.py"),
        (("mine.py", "--at", "one"), "the point 'one' is no list of numbers"),
        (("mine.py", "--at", "__import__('os')"), "is no list of numbers"),
        (("mine.py", "--at", "1"), "takes 2 arguments (x, y), but the point has 1"),
        (("mine.py", "--name", "h", "--at", "1"), "no function h: it has f, g; choose with --name"),
        (("math:nothing", "--at", "1"), "there is no math:nothing"),
        (("math:pi", "--at", "1"), "is no function but a float"),
        (("word", "--at", "1"), "neither a file nor a function"),
        (("lambda x: (", "--at", "1"), "is no function"),
        (("tf.sin", "--at", "1,2"), "one number"),
        (("tf.sin", "--at", "1", "--plot", "no/such/folder.png"), "cannot write no/such/folder.png"),
    ],
)
def test_refusals_are_one_line(compare, args, words):
    done = compare(*args)
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr


def test_a_file_that_fails_shows_its_error(compare, home):
    (home / "bad.py").write_text("import gradtape as tf\n\n1 / 0\n")
    done = compare("bad.py", "--at", "1")
    assert done.returncode == 2 and "ZeroDivisionError" in done.stderr and "line 3" in done.stderr
