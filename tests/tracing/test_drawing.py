"""A graph as a picture."""

import xml.etree.ElementTree as ET

import pytest

import gradtape as tf
from gradtape.ground.drawing import arranged, layers

from .forms import graph

NS = "{http://www.w3.org/2000/svg}"


def test_layers_are_the_longest_paths():
    assert layers(5, [(0, 2), (1, 2), (2, 3), (0, 4), (3, 4)]) == [0, 0, 1, 2, 3]
    n = 5000  # no recursion
    assert layers(n, [(i, i + 1) for i in range(n - 1)])[-1] == n - 1


def test_nothing_overlaps_and_edges_go_down():
    widths = [50.0, 80.0, 60.0, 60.0, 120.0, 40.0]
    edges = [(0, 2), (1, 2), (1, 3), (2, 4), (3, 4), (0, 5), (4, 5)]
    places, routes = arranged(widths, edges)
    for i, (x, y) in enumerate(places):
        for j, (u, v) in enumerate(places[:i]):
            assert y != v or abs(x - u) >= (widths[i] + widths[j]) / 2
    for route, (a, b) in zip(routes, edges, strict=True):
        ys = [places[a][1], *[y for _, y in route], places[b][1]]
        assert ys == sorted(ys) and len(set(ys)) == len(ys)
    assert len(routes[5]) == 2  # the long edge passes two layers


def test_a_functions_graph_is_drawn_with_its_branches_and_lines(tmp_path):
    @tf.function
    def f(x, n):
        for _ in tf.range(n):
            x = tf.sin(x) * 0.5
        return x, tf.reduce_sum(x)

    f(tf.ones([2, 3]), tf.constant(2))
    path = tmp_path / "f.svg"
    f.graph.draw(path)
    root = ET.parse(path).getroot()
    texts = [t.text for t in root.iter(NS + "text")]
    titles = [t.text for t in root.iter(NS + "title")]
    assert {"f", "body of while_loop", "cond of while_loop", "sin", "multiply (0.5)"} <= set(texts)
    assert any("test_drawing.py:" in t for t in titles)
    assert f.graph._repr_svg_() == path.read_text()


def test_a_function_that_was_not_traced_has_no_graph():
    with pytest.raises(ValueError, match="has not been traced"):
        graph(lambda x: x).graph
