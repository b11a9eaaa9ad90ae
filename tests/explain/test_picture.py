"""The picture's data, its files, ``Function.show`` and ``gradtape view``. The page itself is tested in test_page.py."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest

import gradtape as tf


def small():
    x, y = tf.Variable(3.0), tf.Variable(4.0)
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        a = x * x
        b = a * y
        f = tf.sin(b) + y
    return tape, f


def test_the_scene_has_values_adjoints_lines_and_steps():
    tape, f = small()
    scene = tape.show(f).scene
    heads = [n["head"] for n in scene["nodes"]]
    assert heads == ["x", "a = multiply", "y", "b = multiply", "v3 = sin", "f = add"]
    by = dict(zip(heads, scene["nodes"], strict=True))
    assert by["a = multiply"]["value"] == "9.0"
    assert by["b = multiply"]["adjoint"] == f"{np.cos(36.0):.6g}"
    assert by["x"]["adjoint"] == f"{np.float32(24 * np.cos(np.float32(36.0))):.6g}"
    assert by["a = multiply"]["line"][0] == __file__
    assert [s[0] for s in scene["steps"]] == ["f"] * 4 + ["b"] * 4
    assert [s[1] for s in scene["steps"]][:4] == [s[1] for s in scene["steps"]][:3:-1]
    last = scene["steps"][-1]  # x * x gives its adjoint in two parts
    assert [g[0] for g in last[3]] == [0, 0]
    assert "b = a * y" in [text.strip() for _, text in scene["files"][0]["lines"]]


def test_the_page_is_one_file_without_anything_from_elsewhere(tmp_path):
    tape, f = small()
    picture = tape.show(f, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text == picture.html
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", text.split('<script type="application/json"')[0])
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "@import" not in text and "url(" not in text
    data = re.search(r'<script type="application/json" id="scene">(.*?)</script>', text, re.S)[1]
    assert json.loads(data) == json.loads(json.dumps(picture.scene))


def test_nothing_in_a_program_can_break_out_of_the_page():
    x = tf.Variable(3.0, name="</script><script>alert(1)</script>")
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        y = x * x  # </script><!--
    text = tape.show(y).html
    assert text.count("</script>") == 2
    assert "alert(1)</script>" not in text


def test_notebooks_show_it_inline():
    tape, f = small()
    picture = tape.show(f)
    text = picture._repr_html_()
    assert text.startswith("<iframe srcdoc=") and "&lt;!DOCTYPE html&gt;" in text
    assert repr(picture).startswith("<Picture of 4 operations")


def test_svg_is_well_formed_and_shows_all(tmp_path):
    tape, f = small()
    text = tape.show(f).svg(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == text
    root = ET.fromstring(text)
    words = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "a = multiply" in words and "= 9.0" in words and "x" in words
    boxes = [r for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.get("rx") == "9"]
    assert len(boxes) == 6


def test_png(tmp_path):
    pytest.importorskip("matplotlib")
    tape, f = small()
    tape.show(f).png(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_boxes_of_one_group_do_not_overlap():
    rng = np.random.default_rng(0)
    xs = [tf.Variable(float(v)) for v in rng.normal(size=6)]
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        values = [x * 1.0 for x in xs]
        for _ in range(40):
            i, j = rng.integers(len(values), size=2)
            values.append(tf.sin(values[i]) * values[j])
        y = tf.add_n(values)
    tree = tape.show(y).scene["tree"]

    def check(group):
        rows = {}
        for x, y, w in zip(group["x"], group["y"], group["w"], strict=True):
            rows.setdefault(y, []).append((x - w / 2, x + w / 2))
        for row in rows.values():
            row.sort()
            assert all(a[1] <= b[0] + 1e-6 for a, b in pairwise(row))
        for item in group["items"]:
            if isinstance(item, dict):
                check(item)

    check(tree)


def looped(n):
    u = tf.Variable(1.5)
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        v = u * 1.0
        for _ in range(n):
            s = tf.sin(v)
            v = v + 0.01 * s
        y = tf.square(v)
    return tape.show(y)


def test_repeated_blocks_are_folded_with_the_leaves_that_are_theirs():
    ws = [tf.Variable(np.eye(3) * 0.5, name=f"w{i}") for i in range(20)]
    with tf.debugging.trace_lines(), tf.GradientTape() as tape:
        h = tf.ones([2, 3], tf.float64)
        for w in ws:
            z = h @ w
            h = tf.tanh(z)
        y = tf.reduce_sum(h)
    scene = tape.show(y).scene
    (group,) = [i for i in scene["tree"]["items"] if isinstance(i, dict)]
    assert group["label"] == "20 × matmul, tanh" and group["folded"]
    assert len(group["items"]) == 20
    heads = [[scene["nodes"][i]["head"] for i in block["items"]] for block in group["items"]]
    assert heads[7] == ["z·8 = matmul", "h·8 = tanh", "w7"]
    every = []

    def gather(g):
        for i in g["items"]:
            gather(i) if isinstance(i, dict) else every.append(i)

    gather(scene["tree"])
    assert sorted(every) == list(range(len(scene["nodes"])))


def test_two_thousand_operations_in_a_few_seconds():
    import time

    start = time.process_time()
    picture = looped(666)
    took = time.process_time() - start
    assert sum(n["kind"] == "op" for n in picture.scene["nodes"]) == 2000
    assert took < 15  # it takes about one; quadratic growth would show
    assert len(picture.html) < 4_000_000


def test_without_lines_it_says_what_is_missing():
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = tf.sin(x) * x
    scene = tape.show(y).scene
    assert "trace_lines" in scene["note"]
    assert scene["nodes"][-1]["line"] is None
    assert scene["nodes"][0]["adjoint"] == f"{np.float32(np.sin(np.float32(3.0)) + 3 * np.cos(np.float32(3.0))):.6g}"


# -- functions ------------------------------------------------------------------------------------------------------------
def test_a_function_with_arguments_has_values_and_keeps_its_variables():
    v = tf.Variable(2.0, name="scale")

    @tf.function
    def f(x):
        a = tf.sin(x) * v
        v.assign_add(1.0)
        return a * a

    scene = f.show(tf.constant(0.5)).scene
    by = {n["head"]: n for n in scene["nodes"]}
    assert by["x"]["value"] == "0.5"
    assert (
        by["a = multiply"]["line"][1] > 0
        and by["a = multiply"]["value"] == f"{np.float32(2 * np.sin(np.float32(0.5))):.6g}"
    )
    np.testing.assert_allclose(float(by["x"]["adjoint"]), 2 * 4 * np.sin(0.5) * np.cos(0.5), rtol=1e-5)
    np.testing.assert_allclose(float(by["scale"]["adjoint"]), 2 * 2 * np.sin(0.5) ** 2, rtol=1e-5)
    assert float(v) == 2.0


def test_a_function_without_arguments_has_forms():
    @tf.function
    def f(x):
        return tf.reduce_sum(tf.sin(x) * x)

    with pytest.raises(ValueError, match="has not been traced"):
        f.show()
    f(tf.ones([3]))
    scene = f.show().scene
    assert [(n["head"], n["value"], n["adjoint"]) for n in scene["nodes"]] == [
        ("x", "float32[3]", "float32[3]"), ("v1 = sin", "float32[3]", "float32[3]"), ("v2 = multiply", "float32[3]", "float32[3]"), ("v3 = sum", "float32[]", "float32[]"),
    ]  # fmt: skip
    assert [s[0] for s in scene["steps"]] == ["f"] * 3 + ["b"] * 3


def test_a_function_of_integers_still_has_a_picture():
    @tf.function
    def f(n):
        return n * n + 1

    scene = f.show(tf.constant(3)).scene
    assert [n["op"] for n in scene["nodes"]][-2:] == ["multiply", "add"]


def test_control_flow_in_a_function_is_drawn_turn_by_turn():
    @tf.function
    def newton(a):
        r = a
        for _ in tf.range(40):
            r = (r + a / r) / 2.0
        if r > 1.0:
            r = r * r
        else:
            r = -r
        return r

    scene = newton.show(tf.constant(3.0)).scene
    ops = [n["op"] for n in scene["nodes"] if n["kind"] == "op"]
    assert ops == ["divide", "add", "divide"] * 40 + ["multiply"]
    by = {n["head"]: n for n in scene["nodes"]}
    assert by["a"]["adjoint"] == "1.0" and scene["nodes"][-1]["value"] == "3.0"
    group = next(i for i in scene["tree"]["items"] if isinstance(i, dict))
    assert group["label"] == "40 × divide, add" and group["folded"]
    assert 0 in scene["tree"]["items"]  # the argument, which every turn reads, is seen while they are folded

    @tf.function
    def long(a):
        i = 0
        while tf.less(i, 100_000):
            a, i = tf.sin(a), i + 1
        return a

    assert [n["op"] for n in long.show(tf.constant(1.0)).scene["nodes"] if n["kind"] == "op"] == [
        "while_loop"
    ]  # too many


# -- the command ------------------------------------------------------------------------------------------------------------
PROGRAM = """
import tensorflow as tf
w = tf.Variable(2.0)
X = tf.constant([1.0, 2.0, 3.0])

@tf.function
def loss(x):
    e = w * x - 1.0
    return tf.reduce_mean(e * e)

for i in range(3):
    with tf.GradientTape() as tape:
        L = loss(X)
    g = tape.gradient(L, w)
    print("step", i)
    w.assign_sub(0.1 * g)
"""


def command(tmp_path, *args, program=PROGRAM):
    (tmp_path / "program.py").write_text(program)
    return subprocess.run(
        [sys.executable, "-m", "gradtape", "view", "--out", str(tmp_path / "page.html"), *args, str(tmp_path / "program.py")],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_view_draws_the_first_gradient_of_a_program_and_stops_there(tmp_path):
    run = command(tmp_path)
    assert run.returncode == 0, run.stderr
    assert "step 0" not in run.stdout
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    scene = json.loads(re.search(r'id="scene">(.*?)</script>', text, re.S)[1])
    assert scene["title"] == "program.py"
    by = {n["head"]: n for n in scene["nodes"]}
    assert by["w"]["adjoint"] == "14.6667"
    assert by["e = subtract 1.0"]["value"] == "[1.0, 3.0, 5.0]"


def test_view_of_another_gradient(tmp_path):
    run = command(tmp_path, "--gradient", "2")
    assert run.returncode == 0 and run.stdout.startswith("step 0\n")


def test_view_says_when_there_is_nothing_to_draw(tmp_path):
    run = command(tmp_path, program="print('hello')")
    assert run.returncode == 2 and "took no gradient" in run.stderr
    run = command(tmp_path, "--gradient", "9")
    assert run.returncode == 2 and "took 3 gradients" in run.stderr
    run = command(tmp_path, program="raise KeyError('x')")
    assert run.returncode == 2 and "KeyError" in run.stderr


@pytest.mark.parametrize("name, start", [("a.svg", b"<svg"), ("a.png", b"\x89PNG"), ("a.HTML", b"<!DOCTYPE html>")])
def test_view_writes_what_the_name_says(tmp_path, name, start):
    run = command(tmp_path, "--out", str(tmp_path / name))
    assert run.returncode == 0, run.stderr
    assert (tmp_path / name).read_bytes().startswith(start)


def test_view_refuses_other_kinds_of_files(tmp_path):
    run = command(tmp_path, "--out", "picture.txt")
    assert run.returncode == 2 and "picture.txt: the picture is written as .html (the page), .svg or .png" in run.stderr
