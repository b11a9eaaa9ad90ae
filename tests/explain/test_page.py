"""The page in a real browser: mouse, keyboard, folding, light and dark, phones; no errors and no network."""

import base64
import json
import struct
import xml.etree.ElementTree as ET
import zlib

import pytest

import gradtape as tf

from .browser import CHROMIUM, Browser
from .test_picture import looped, small

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def browser():
    with Browser() as b:
        yield b


@pytest.fixture(autouse=True)
def _no_errors(request):
    yield
    if "browser" in request.fixturenames:
        b = request.getfixturevalue("browser")
        b.call("Runtime.evaluate", expression="1")  # takes what is waiting
        assert b.errors == []
        assert all(url.startswith(("file:", "data:", "blob:")) for url in b.requests), b.requests


def opened(browser, tmp_path, picture):
    picture.save(tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    return browser


def texts(browser, node):
    return browser.run(f"[...document.querySelectorAll('[data-node=\"{node}\"] text')].map((t) => t.textContent)")


def state(browser, node):
    return browser.run(f"document.querySelector('[data-node=\"{node}\"]').getAttribute('class')").split()


@pytest.fixture
def page(browser, tmp_path):
    tape, f = small()  # 0 x, 1 a = x*x, 2 y, 3 b = a*y, 4 sin, 5 f
    return opened(browser, tmp_path, tape.show(f))


def test_it_begins_before_the_first_operation(page):
    assert page.run("gradtape.step") == 0
    assert page.run("document.getElementById('count').textContent") == "0 / 8"
    assert "todo" in state(page, 1) and "todo" not in state(page, 0)
    assert "= 3.0" in texts(page, 0) and "= 9.0" not in texts(page, 1)
    assert page.run("document.getElementById('back').disabled")


def test_keys_step_forward_and_back(page):
    page.key("ArrowRight")
    assert "now-f" in state(page, 1)
    assert texts(page, 1)[:4] == ["a = multiply", texts(page, 1)[1], "= 9.0", "∂/∂x 3.0  ∂/∂x 3.0"]
    page.key("ArrowRight")
    assert "now-f" in state(page, 3) and "known" in state(page, 1)
    page.key("ArrowLeft")
    assert page.run("gradtape.step") == 1 and "todo" in state(page, 3)
    page.key("End")
    assert page.run("gradtape.step") == 8 and page.run("document.getElementById('next').disabled")
    page.key("ArrowRight")
    assert page.run("gradtape.step") == 8
    page.key("Home")
    assert page.run("gradtape.step") == 0


def test_buttons_and_slider_step_too(page):
    for _ in range(5):
        page.click("#next")
    assert page.run("gradtape.step") == 5
    assert "now-b" in state(page, 5) and "∂ 1.0" in texts(page, 5)
    page.click("#back")
    assert page.run("gradtape.step") == 4
    page.click("#last")
    page.click("#first")
    assert page.run("gradtape.step") == 0
    page.run(
        "(() => { const s = document.getElementById('slider'); s.value = 6; s.dispatchEvent(new Event('input')); })()"
    )
    assert page.run("gradtape.step") == 6


def test_adjoints_accumulate_as_the_backward_pass_goes(page):
    page.run("gradtape.go(5)")  # f undone: y has had its first part
    page.settle()
    assert "∂ 1.0" in texts(page, 2)
    page.run("gradtape.go(7)")  # b undone: y has the second part too
    page.settle()
    assert any(t.startswith("∂ -0.15") for t in texts(page, 2))  # 1 + 9 cos(36)
    assert "+=" in page.run("document.getElementById('story').textContent")
    page.run("gradtape.go(5)")
    page.settle()
    assert "∂ 1.0" in texts(page, 2)


def test_the_panel_tells_the_step_and_marks_the_line(page):
    page.run("gradtape.go(2)")
    story = page.run("document.getElementById('story').textContent")
    assert "b = multiply(a, y)" in story and "b = 36.0" in story
    assert page.run("document.querySelector('#code li.here').textContent").strip() == "b = a * y"


def test_clicking_a_node_goes_to_its_step(page):
    page.click('[data-node="3"] .card')
    assert (page.run("gradtape.step"), page.run("gradtape.chosen")) == (2, 3)
    page.click('[data-node="3"] .card')  # again: its backward step
    assert page.run("gradtape.step") == 7
    page.click('[data-node="4"] .card')
    assert page.run("gradtape.step") == 6
    page.click('[data-node="0"] .card')  # an input: when its adjoint is complete
    assert (page.run("gradtape.step"), page.run("gradtape.chosen")) == (8, 0)


def test_dragging_and_the_wheel_move_the_picture_and_not_the_step(page):
    x, k = page.run("gradtape.view.x"), page.run("gradtape.view.k")
    page.drag(300, 300, 80, 40)
    assert abs(page.run("gradtape.view.x") - x - 80) < 2
    page.wheel(300, 300, -200)
    assert page.run("gradtape.view.k") > k
    page.click("#fit")
    assert page.run("gradtape.step") == 0 and abs(page.run("gradtape.view.k") - k) < 1e-6


def test_play_plays(page):
    page.key(" ", " ")
    page.run("new Promise((done) => setTimeout(done, 2200))")
    page.key(" ", " ")
    step = page.run("gradtape.step")
    assert 1 <= step <= 3
    page.run("new Promise((done) => setTimeout(done, 1100))")
    assert page.run("gradtape.step") == step


def test_export(page):
    page.run("gradtape.go(8)")
    text = page.run("gradtape.picture()")
    root = ET.fromstring(text)
    words = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "= 36.0" in words and "var(" not in text
    data = page.run(
        "gradtape.pngBlob().then((b) => new Promise((done) => { const r = new FileReader(); r.onload = () => done(r.result); r.readAsDataURL(b); }))"
    )
    png = base64.b64decode(data.split(",")[1])
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    assert width > 300 and height > 500


def pixels(png):
    """Width, height and rows of an 8-bit RGB(A) PNG."""
    width, height, _, color = struct.unpack(">IIBB", png[16:26])
    channels = {2: 3, 6: 4}[color]
    at, data = 8, b""
    while at < len(png):
        (n,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + n]
        at += 12 + n
    raw, stride = zlib.decompress(data), width * channels
    rows, before = [], bytearray(stride)
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for i in range(stride):
            a = line[i - channels] if i >= channels else 0
            b, c = before[i], before[i - channels] if i >= channels else 0
            if kind == 1:
                line[i] = (line[i] + a) & 255
            elif kind == 2:
                line[i] = (line[i] + b) & 255
            elif kind == 3:
                line[i] = (line[i] + (a + b) // 2) & 255
            elif kind == 4:
                p = a + b - c
                d = (abs(p - a), abs(p - b), abs(p - c))
                line[i] = (line[i] + (a if d[0] <= d[1] and d[0] <= d[2] else b if d[1] <= d[2] else c)) & 255
        rows.append(line)
        before = line
    return width, height, channels, rows


CONTRAST = """
(() => {
  const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const out = [];
  for (const box of document.querySelectorAll(".box")) {
    const back = getComputedStyle(box.querySelector(".card")).fill;
    for (const t of box.querySelectorAll("text")) if (t.textContent) out.push([t.textContent, ratio(getComputedStyle(t).fill, back)]);
  }
  for (const e of document.querySelectorAll("#story *, #facts *, h1, #count")) if (e.childElementCount === 0 && e.textContent) out.push([e.textContent, ratio(getComputedStyle(e).color, getComputedStyle(document.querySelector("header")).backgroundColor)]);
  return out;
})()
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["1280x800", "phone"])
def test_it_is_readable_in_light_and_dark_on_a_screen_and_on_a_phone(dark, size, tmp_path):
    tape, f = small()
    with Browser(*size, dark=dark, phone=size[0] < 500) as b:
        opened(b, tmp_path, tape.show(f))
        b.run("gradtape.go(7)")
        b.settle()
        # nothing is wider than the screen, the stage has room, all controls are to be seen and big enough
        assert b.run("document.documentElement.scrollWidth") <= size[0]
        stage = b.run(
            "(() => { const r = document.getElementById('stage').getBoundingClientRect(); return [r.width, r.height]; })()"
        )
        assert stage[0] >= (380 if size[0] < 500 else 800) and stage[1] >= 280
        for r in b.run(
            "[...document.querySelectorAll('footer button')].map((e) => { const r = e.getBoundingClientRect(); return [r.left, r.right, r.top, r.bottom]; })"
        ):
            assert r[0] >= 0 and r[1] <= size[0] and r[3] <= size[1]
            assert r[1] - r[0] >= 36 and r[3] - r[2] >= (40 if size[0] < 500 else 32)
        # the current box is in sight, its letters at least 9 pixels high on the screen, and text stands out from its ground
        box = b.run(
            "(() => { const r = document.querySelector('.now-b').getBoundingClientRect(); const s = document.getElementById('stage').getBoundingClientRect(); return [r.left - s.left, s.right - r.right, r.top - s.top, s.bottom - r.bottom]; })()"
        )
        assert min(box) >= 0
        assert (
            b.run("parseFloat(getComputedStyle(document.querySelector('.box .head')).fontSize) * gradtape.view.k") >= 9
        )
        low = [(t, r) for t, r in b.run(CONTRAST) if r < 4.5]
        assert low == []
        # text stays inside its box
        out = b.run(
            "[...document.querySelectorAll('.box')].flatMap((g) => { const c = g.querySelector('.card').getBoundingClientRect(); return [...g.querySelectorAll('text')].filter((t) => t.textContent && t.getBoundingClientRect().right > c.right + 1).map((t) => t.textContent); })"
        )
        assert out == []
        b.screenshot(tmp_path / "shot.png")
        width, _, channels, rows = pixels((tmp_path / "shot.png").read_bytes())
        scale = width // size[0]
        at = lambda x, y: rows[y * scale][x * scale * channels : x * scale * channels + 3]
        corner = sum(at(size[0] // 2, size[1] - 4)) / 3
        assert (corner < 60) if dark else (corner > 200)
        assert b.errors == []


def test_a_picture_that_fits_is_seen_whole_at_every_step(page):
    """Stepping moves the picture only where that shows more of it."""
    inside = "(() => { const s = document.getElementById('stage').getBoundingClientRect(); return [...document.querySelectorAll('.box .card')].every((e) => { const r = e.getBoundingClientRect(); return r.top >= s.top && r.bottom <= s.bottom && r.left >= s.left && r.right <= s.right; }); })()"
    for _ in range(page.run("gradtape.steps")):
        page.key("ArrowRight")
        assert page.run(inside)


def test_nothing_recorded_is_said(browser, tmp_path):
    x = tf.Variable(3.0)
    opened(browser, tmp_path, tf.GradientTape().show(x))
    assert "No operation was recorded" in browser.run("document.getElementById('story').textContent")


def test_repeated_blocks_fold_and_unfold(browser, tmp_path):
    opened(browser, tmp_path, looped(40))
    assert browser.run("gradtape.boxes") == 4  # u, u * 1, forty turns, the square
    browser.run("gradtape.go(6)")
    browser.settle()
    assert browser.run("document.querySelector('[data-group] .value').textContent") == "= 5 of 120 computed"
    assert "now-f" in browser.run("document.querySelector('g.group').getAttribute('class')")
    browser.click("g.group .card")
    assert browser.run("gradtape.boxes") == 43
    browser.key("u", "u")
    assert browser.run("gradtape.boxes") == 123
    browser.key("u", "u")
    assert browser.run("gradtape.boxes") == 4


def test_two_thousand_nodes_are_smooth(browser, tmp_path):
    opened(browser, tmp_path, looped(666))
    browser.key("u", "u")
    assert browser.run("gradtape.boxes") == 2001
    assert browser.run("gradtape.drawn") < 60  # only what is in sight is in the document
    frames = """
    new Promise((done) => {
      const times = []; let last = performance.now(), n = 0;
      (function frame(t) { times.push(t - last); last = t; gradtape.view.y -= 25; gradtape.go(gradtape.step + 1); if (++n < 60) requestAnimationFrame(frame); else done(times.slice(2)); })(last);
    })
    """
    times = sorted(browser.run(frames))
    assert times[len(times) // 2] < 60, times  # milliseconds; on an idle machine about 17
    browser.run("gradtape.fit()")
    browser.settle()
    assert browser.run("gradtape.drawn") == 2001
    started = browser.run("performance.now()")
    for _ in range(5):
        browser.key("ArrowRight")
    assert (browser.run("performance.now()") - started) / 5 < 600


def test_edges_end_at_boxes(browser, tmp_path):
    """Whatever is folded, each edge leads from the lower side of a box to the upper side of one."""
    opened(browser, tmp_path, looped(12))
    check = """
    (() => { gradtape.fit(); return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
      const boxes = [...document.querySelectorAll(".box")].map((g) => { const m = g.getAttribute("transform").match(/-?[\\d.]+/g).map(Number), c = g.querySelector(".card"); return { x: m[0], y: m[1], w: +c.getAttribute("width"), h: +c.getAttribute("height") }; });
      done([...document.querySelectorAll(".edge")].map((e) => {
        const n = e.getAttribute("d").match(/-?[\\d.]+/g).map(Number), [x, y] = n, [u, v] = n.slice(-2);
        return boxes.some((b) => x >= b.x && x <= b.x + b.w && Math.abs(y - b.y - b.h) < 1) && boxes.some((b) => u >= b.x && u <= b.x + b.w && v <= b.y + 1 + 18 && v >= b.y - 19);
      }));
    }))); })()
    """
    for _ in range(2):
        found = browser.run(check)
        assert found and all(found), json.dumps(found)
        browser.key("u", "u")


def test_it_runs_inline_in_a_notebook(browser, tmp_path):
    tape, f = small()
    (tmp_path / "notebook.html").write_text(
        f"<!DOCTYPE html><meta charset='utf-8'><body>{tape.show(f)._repr_html_()}<script>window.gradtape = 1</script></body>"
    )
    browser.open(tmp_path / "notebook.html")
    inner = "document.querySelector('iframe').contentWindow.gradtape"
    browser.run(f"new Promise((done) => {{ (function wait() {{ {inner} ? done(1) : setTimeout(wait, 20); }})(); }})")
    browser.run(f"{inner}.go(8)")
    assert browser.run(f"{inner}.step") == 8


def test_a_traced_function_in_the_browser(browser, tmp_path):
    @tf.function
    def f(x):
        for _ in range(30):
            x = tf.sin(x) * 1.5
        return tf.reduce_sum(x)

    opened(browser, tmp_path, f.show(tf.constant([0.5, 0.7])))
    browser.key("End")
    assert browser.run("gradtape.step") == browser.run("gradtape.steps") == 122
