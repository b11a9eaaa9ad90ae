"""``gradtape run SCRIPT``: what the script sees, which imports are redirected, what an error looks like."""

import subprocess
import sys
import textwrap

import pytest


@pytest.fixture
def script(home):
    def write(text, name="program.py"):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


def printed(process):
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()


@pytest.mark.parametrize(
    ("statement", "expression"),
    [
        ("import tensorflow as tf", "tf.__version__"),
        ("import tensorflow", "tensorflow.__version__"),
        ("import os, tensorflow as tf, sys", "os.name and sys.path and tf.__version__"),
        ("import tensorflow.keras", "tensorflow.keras.__name__ and tensorflow.__version__"),
        ("from tensorflow import __version__ as v", "v"),
        ("from tensorflow import keras", "keras.__name__ == 'standin.keras' and 'stand-in'"),
        ("import tensorflow.keras.backend as K", "K.name == 'the backend' and 'stand-in'"),
        ("from tensorflow.keras import backend", "backend.name == 'the backend' and 'stand-in'"),
        ("from tensorflow.keras.backend import name", "name == 'the backend' and 'stand-in'"),
        ("def f():\n    import tensorflow as tf\n    return tf\ntf = f()", "tf.__version__"),
        (
            "try:\n    import tensorflow.compat.v1 as tf\nexcept ImportError as e:\n    v = e",
            "'stand-in' if 'standin.compat' in str(v) else v",
        ),
    ],
)  # fmt: skip
def test_every_form_of_import_is_redirected(run, script, statement, expression):
    assert printed(run(script(f"{statement}\nprint({expression})"))) == ["stand-in"]


def test_names_that_only_look_like_tensorflow_are_left_alone(run, script):
    script("what = 'my own'", "tensorflow_helpers.py")
    script("", "package/__init__.py")
    script("what = 'also my own'", "package/tensorflow.py")
    script("from .tensorflow import what", "package/user.py")
    path = script("""
        import tensorflow_helpers
        from package.user import what
        print(tensorflow_helpers.what, what)
    """)
    assert printed(run(path)) == ["my own also my own"]


def test_libraries_get_the_real_tensorflow(run, script, library):
    path = script("import tensorflow as tf, uses_tensorflow; print(tf.__version__, uses_tensorflow.version)")
    assert printed(run(path)) == ["stand-in the real one"]


def test_packages_installed_below_the_scripts_folder_are_libraries(run, script):
    script("import tensorflow; v = tensorflow.__version__", ".venv/lib/python3/site-packages/installed.py")
    path = script("""
        import sys
        sys.path.append(sys.path[0] + "/.venv/lib/python3/site-packages")
        import installed
        print(installed.v)
    """)
    assert printed(run(path)) == ["the real one"]


def test_modules_beside_the_script_are_redirected_and_leave_no_compiled_files(run, script, home):
    script("import tensorflow as tf\ndef version():\n    return tf.__version__", "beside.py")
    script("", "package/__init__.py")
    script("from tensorflow import __version__", "package/inner.py")
    script("from tensorflow import __version__", "namespace/inner.py")
    path = script("""
        import inspect
        import beside, package.inner, namespace.inner
        print(beside.version(), package.inner.__version__, namespace.inner.__version__)
        print(inspect.getsource(beside.version), end="")
    """)
    assert printed(run(path)) == ["stand-in stand-in stand-in", "def version():", "    return tf.__version__"]
    assert not list(home.rglob("*.pyc"))


def test_as_tensorflow_changes_nothing(gradtape_command, script):
    path = script("import tensorflow; print(tensorflow.__version__)")
    assert printed(gradtape_command("run", "--as", "tensorflow", path)) == ["the real one"]


def test_the_script_sees_what_python_would_give_it(run, script, home, library):
    path = script("""
        \"\"\"About the script.\"\"\"
        import sys
        import __main__
        __main__.here = "set through __main__"
        print([__name__, __file__, __doc__, __package__, __spec__, sys.argv, sys.path[0]])
        print(here, __main__.__dict__ is globals(), type(__builtins__).__name__, __loader__.name)
    """)
    arguments = ["--rate", "0.1", "--save", "x", "-h", "--", "last"]
    plain = subprocess.run(
        [sys.executable, "program.py", *arguments], cwd=home, capture_output=True, text=True, check=True
    )
    assert printed(run("program.py", *arguments)) == plain.stdout.splitlines()
    assert str(path) in plain.stdout


def test_a_script_reached_through_a_link_imports_from_its_real_folder(run, script, tmp_path):
    script("x = 'beside the real one'", "beside.py")
    link = tmp_path / "link.py"
    link.symlink_to(script("import beside; print(beside.x)"))
    assert printed(run(link)) == ["beside the real one"]


def test_classes_of_the_script_can_be_pickled(run, script):
    path = script("""
        import pickle
        class Point: pass
        print(type(pickle.loads(pickle.dumps(Point()))) is Point)
    """)
    assert printed(run(path)) == ["True"]


def test_source_and_future_imports_and_encodings(run, script, home):
    script("""
        from __future__ import annotations
        import inspect, tensorflow as tf
        def f(x: not_a_name):
            return tf.constant(x)  # a comment
        print(inspect.getsource(f), end="")
    """)
    lines = printed(run("program.py"))
    assert lines == ["def f(x: not_a_name):", "    return tf.constant(x)  # a comment"]
    (home / "latin.py").write_bytes("# coding: latin-1\nprint('é')".encode("latin-1"))
    assert printed(run("latin.py")) == ["é"]


@pytest.mark.parametrize(
    ("end", "status", "stderr"),
    [
        ("", 0, ""),
        ("raise SystemExit", 0, ""),
        ("import sys; sys.exit(7)", 7, ""),
        ("import sys; sys.exit('why')", 1, "why\n"),
        ("raise KeyboardInterrupt", 130, None),
        ("1/0", 1, None),
    ],
)
def test_exit_status(run, script, end, status, stderr):
    process = run(script(end))
    assert process.returncode == status
    if stderr is not None:
        assert process.stderr == stderr


def test_traceback_shows_the_users_lines_and_no_others(run, script):
    script("import tensorflow as tf\n\n\ndef inner():\n    tf.boom()", "beside.py")
    path = script("import beside\ndef outer():\n    beside.inner()\nouter()")
    process = run(path)
    assert process.returncode == 1
    lines = process.stderr.splitlines()
    files = [line.strip().split(",")[0] for line in lines if line.startswith("  File ")]
    # standin is a library that the program called, not gradtape: Python would show it, and so do we
    assert [f.rsplit("/", 1)[1].rstrip('"') for f in files[:3]] == ["program.py", "program.py", "beside.py"]
    assert "    beside.inner()" in lines and "    tf.boom()" in lines
    assert lines[0] == "Traceback (most recent call last):" and lines[-1] == "RuntimeError: boom"
    assert "/cli/" not in process.stderr
    assert "/cli/script.py" in run("--full-traceback", path).stderr


def test_syntax_errors_name_the_users_line(run, script):
    process = run(script("x = 1\ny = = 2\n"))
    assert process.returncode == 1
    assert "program.py" in process.stderr and "line 2" in process.stderr and "y = = 2" in process.stderr
    assert process.stderr.splitlines()[-1].startswith("SyntaxError")
    assert "/cli/" not in process.stderr
    process = run(script("import broken", "imports_it.py").with_name("imports_it.py"))
    assert "No module named 'broken'" in process.stderr and "importlib" not in process.stderr


def test_the_scripts_own_excepthook_is_used(run, script):
    path = script("""
        import sys, traceback
        def hook(kind, error, tb):
            print("hooked", kind.__name__, [f.name for f in traceback.extract_tb(tb)])
        sys.excepthook = hook
        1/0
    """)
    process = run(path)
    assert (process.returncode, process.stdout) == (1, "hooked ZeroDivisionError ['<module>']\n")


def test_unusable_files_are_refused_in_one_line(run, script, home):
    for argument, words in [("absent.py", "there is no file absent.py"), (home, "is a directory")]:
        process = run(argument)
        assert process.returncode == 2 and words in process.stderr and process.stderr.count("\n") == 1
    path = script("print('ran')")
    for option in (["--save", "out.ipynb"], ["--keep-going"]):
        process = run(*option, path)
        assert process.returncode == 2 and "is for notebooks" in process.stderr and process.stdout == ""
    process = run("--unknown", path)
    assert process.returncode == 2 and "--unknown" in process.stderr and process.stdout == ""
