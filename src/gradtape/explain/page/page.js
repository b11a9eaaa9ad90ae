"use strict";
// The page of one computation: draws the graph, steps through it, folds and unfolds repeated blocks. Positions come with the data; what is unfolded
// pushes aside what stands beside and below it.
(() => {
  const scene = JSON.parse(document.getElementById("scene").textContent);
  const { nodes, steps, height: H, gap: GAP } = scene;
  const $ = (id) => document.getElementById(id);
  const NS = "http://www.w3.org/2000/svg";
  const PAD = 16, TOP = 30, LOW = 18; // LOW: how much less high leaves are
  const FAR = 0.42; // below this zoom boxes show their heads alone
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

  function svg(tag, attributes, text) {
    const e = document.createElementNS(NS, tag);
    for (const k in attributes) e.setAttribute(k, attributes[k]);
    if (text !== undefined) e.textContent = text;
    return e;
  }
  function html(tag, name, ...children) {
    const e = document.createElement(tag);
    if (name) e.className = name;
    e.append(...children.filter((c) => c !== null && c !== ""));
    return e;
  }

  // -- steps: when each value and each adjoint is known ---------------------------------------------------------------------
  const F = steps.filter((s) => s[0] === "f").length;
  const N = steps.length;
  const forwardAt = nodes.map(() => 0), backwardAt = nodes.map(() => 0);
  const told = nodes.map(() => []); // for each node [step, adjoint as text]
  steps.forEach((s, k) => {
    const t = k + 1;
    if (s[0] === "f") forwardAt[s[1]] = t;
    else {
      backwardAt[s[1]] = t;
      told[s[1]].push([t, s[2]]);
      for (const [to, , , total] of s[3]) told[to].push([t, total]);
    }
  });
  function adjointAt(i, t) {
    let found = "";
    for (const [at, text] of told[i]) { if (at > t) break; found = text; }
    return found;
  }
  let now = 0, chosen = null;

  // -- groups ---------------------------------------------------------------------------------------------------------------
  const groups = [];
  const paths = []; // for each node the groups around it, from outside in, with the place in each
  (function walk(data, path) {
    const g = { data, id: groups.length, open: !data.folded, items: [], ops: [] };
    groups.push(g);
    data.items.forEach((item, at) => {
      if (typeof item === "number") { paths[item] = [...path, [g, at]]; g.items.push(item); }
      else g.items.push(walk(item, [...path, [g, at]]));
    });
    return g;
  })(scene.tree, []);
  nodes.forEach((n, i) => { if (n.kind === "op") for (const [g] of paths[i]) g.ops.push(i); });
  const root = groups[0];

  /** The innermost box that is to be seen of node i: itself or a folded group. */
  function seen(i) {
    for (let k = 1; k < paths[i].length; k++) if (!paths[i][k][0].open) return "g" + paths[i][k][0].id;
    return i;
  }

  /** Places in a group, when some of what is in it is unfolded: rows grow in height, and rows apart from what is widened in them. */
  function layout(g) {
    const { x, y, w, bends } = g.data;
    const sizes = w.map((_, k) => (k >= g.items.length ? [w[k], 0] : typeof g.items[k] === "number" || !g.items[k].open ? [w[k], H] : layout(g.items[k])));
    const rows = new Map();
    const row = (at) => rows.get(at) || rows.set(at, { all: [], h: 10 }).get(at);
    w.forEach((_, k) => { // the items, and behind them the doors by which edges come in
      const r = row(y[k]);
      r.all.push({ x: x[k], extra: Math.max(0, sizes[k][0] - w[k]), k });
      r.h = Math.max(r.h, sizes[k][1]);
    });
    for (const key in bends) bends[key].forEach(([bx, by], k) => row(by).all.push({ x: bx, extra: 0, key, k }));
    g.at = []; g.bends = {};
    for (const key in bends) g.bends[key] = [];
    let top = g === root ? 0 : TOP, left = Infinity, right = -Infinity;
    for (const [, r] of [...rows].sort((a, b) => a[0] - b[0])) {
      r.all.sort((a, b) => a.x - b.x);
      const total = r.all.reduce((s, e) => s + e.extra, 0);
      let before = 0;
      for (const e of r.all) {
        const moved = e.x + (before - (total - before - e.extra)) / 2;
        before += e.extra;
        if (e.key !== undefined) g.bends[e.key][e.k] = [moved, top + r.h / 2];
        else {
          const [cw, ch] = sizes[e.k];
          g.at[e.k] = { x: moved, y: top + r.h / 2, w: cw, h: ch };
          left = Math.min(left, moved - cw / 2); right = Math.max(right, moved + cw / 2);
        }
      }
      top += r.h + GAP;
    }
    const shift = PAD - left;
    for (const p of g.at) p.x += shift;
    for (const key in g.bends) for (const p of g.bends[key]) p[0] += shift;
    g.w = Math.max(right - left + 2 * PAD, 7 * g.data.label.length + 60);
    g.h = top - GAP + PAD;
    return [g.w, g.h];
  }

  let boxes = new Map(), frames = new Map(), edges = new Map(), whole = { w: 1, h: 1 };
  function arrange() {
    layout(root);
    whole = { w: root.w, h: root.h };
    boxes = new Map(); frames = new Map(); edges = new Map();
    (function put(g, ox, oy) {
      g.ox = ox; g.oy = oy;
      g.items.forEach((item, k) => {
        const p = g.at[k], b = { x: ox + p.x, y: oy + p.y, w: p.w, h: p.h };
        if (typeof item === "number") boxes.set(item, { ...b, node: item });
        else if (!item.open) boxes.set("g" + item.id, { ...b, group: item });
        else {
          frames.set(item.id, { x: b.x - p.w / 2, y: b.y - p.h / 2, w: p.w, h: p.h, group: item });
          put(item, b.x - p.w / 2, b.y - p.h / 2);
        }
      });
    })(root, 0, 0);
    const into = new Map();
    nodes.forEach((n, v) => {
      for (const [u, i] of n.ins) {
        const a = seen(u), b = seen(v);
        if (a === b) continue;
        const key = a + ">" + b;
        let e = edges.get(key);
        if (!e) {
          let d = 0;
          while (paths[u][d + 1] && paths[v][d + 1] && paths[u][d][1] === paths[v][d][1] && paths[u][d + 1][0] === paths[v][d + 1][0]) d++;
          const g = paths[u][d][0];
          const bends = placedIn(g, g.bends[paths[u][d][1] + ">" + paths[v][d][1]] || []);
          for (let k = d + 1; k < paths[v].length && paths[v][k][0].open; k++) { // through the doors of unfolded groups
            const inner = paths[v][k][0], door = inner.items.length + inner.data.ports.indexOf(u);
            bends.push(...placedIn(inner, [[inner.at[door].x, inner.at[door].y], ...(inner.bends[door + ">" + paths[v][k][1]] || [])]));
          }
          e = { id: key, a, b, bends, pairs: [] };
          edges.set(key, e);
          if (!into.has(b)) into.set(b, []);
          into.get(b).push(e);
        }
        e.pairs.push([u, v, i]);
      }
    });
    for (const [b, list] of into) {
      const to = boxes.get(b), m = list.length;
      const from = (e) => (e.bends.length ? e.bends[e.bends.length - 1][0] : boxes.get(e.a).x);
      list.sort((p, q) => from(p) - from(q));
      list.forEach((e, k) => {
        const at = boxes.get(e.a), spread = Math.min(22, to.w / (m + 1));
        const points = [[at.x, at.y + at.h / 2], ...e.bends, [to.x + (k - (m - 1) / 2) * spread, to.y - to.h / 2]];
        let d = `M${points[0].map(r1).join(" ")}`;
        for (let j = 1; j < points.length; j++) {
          const [x, y] = points[j - 1], [u, v] = points[j], half = (y + v) / 2;
          d += `C${r1(x)} ${r1(half)} ${r1(u)} ${r1(half)} ${r1(u)} ${r1(v)}`;
        }
        e.d = d;
        const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
        e.left = Math.min(...xs); e.right = Math.max(...xs); e.top = Math.min(...ys); e.bottom = Math.max(...ys);
      });
    }
    for (const layer of [$("boxes"), $("edges"), $("frames")]) layer.replaceChildren();
    for (const kind in drawn) drawn[kind].clear();
  }
  const placedIn = (g, points) => points.map(([x, y]) => [g.ox + x, g.oy + y]);
  const r1 = (x) => Math.round(x * 10) / 10;

  // -- drawing ----------------------------------------------------------------------------------------------------------------
  function drawFrame(f) {
    const g = svg("g", { class: "frame", "data-group": f.group.id });
    g.append(svg("rect", { x: r1(f.x), y: r1(f.y), width: r1(f.w), height: r1(f.h), rx: 12 }));
    g.append(svg("text", { x: r1(f.x + 12), y: r1(f.y + 19) }, "▾ " + label(f.group)));
    return g;
  }
  const label = (g) => (g.data.kind === "block" ? "block " + g.data.label : g.data.label);

  function drawBox(b) {
    const g = svg("g", { transform: `translate(${r1(b.x - b.w / 2)} ${r1(b.y - b.h / 2)})` });
    if (b.group) {
      g.dataset.group = b.group.id;
      g.append(svg("rect", { class: "under", x: 7, y: 7, width: r1(b.w), height: b.h, rx: 9 }));
      g.append(svg("rect", { class: "card", width: r1(b.w), height: b.h, rx: 9 }));
      g.append(svg("text", { class: "head", x: 14, y: 25 }, "▸ " + clip(label(b.group), Math.floor((b.w - 30) / 7))));
      g.append(svg("text", { class: "hint", x: 14, y: 43 }, b.group.ops.length + " operations"));
      g.append(svg("text", { class: "value", x: 14, y: 61 }), svg("text", { class: "adjoint", x: 14, y: 78 }));
      return g;
    }
    const n = nodes[b.node], h = n.kind === "op" ? b.h : b.h - LOW;
    if (LOW && n.kind !== "op") g.setAttribute("transform", `translate(${r1(b.x - b.w / 2)} ${r1(b.y - b.h / 2 + LOW)})`);
    g.dataset.node = b.node;
    g.append(svg("title", {}, n.op + (n.code ? "\n" + n.code : "")));
    g.append(svg("rect", { class: "card", width: r1(b.w), height: h, rx: 9 }));
    g.append(svg("rect", { class: "strip", x: 5, y: 9, width: 3.5, height: h - 18, rx: 1.75 }));
    g.append(svg("text", { class: "head", x: 14, y: 21 }, n.head));
    if (n.line) g.append(svg("text", { class: "where", x: r1(b.w - 9), y: 20 }, "line " + n.line[1]));
    else if (n.kind !== "op") g.append(svg("text", { class: "where", x: r1(b.w - 9), y: 20 }, n.kind === "constant" ? "const" : ""));
    g.append(svg("text", { class: "value", x: 14, y: 40 }));
    if (n.kind === "op") g.append(svg("text", { class: "slope", x: 14, y: 57 }));
    g.append(svg("text", { class: "adjoint", x: 14, y: n.kind === "op" ? 76 : 60 }));
    return g;
  }
  const clip = (text, n) => (text.length > n ? text.slice(0, n - 1) + "…" : text);

  /** The look of a box at this step; its texts only where they are large enough to be seen. */
  function paintBox(e, b, texts = true) {
    let state;
    if (b.group) {
      const ops = b.group.ops;
      const done = ops.filter((i) => forwardAt[i] <= now).length;
      const undone = ops.filter((i) => backwardAt[i] && backwardAt[i] <= now).length;
      const current = now > 0 && ops.includes(steps[now - 1][1]);
      state = "box group" + (current ? (now > F ? " now-b" : " now-f") : done === 0 ? " todo" : undone ? " felt" : " known");
      if (texts) set(e, ".value", done ? `= ${done} of ${ops.length} computed` : "");
      if (texts) set(e, ".adjoint", undone ? `∂ ${undone} of ${ops.filter((i) => backwardAt[i]).length} differentiated` : "");
    } else {
      const i = b.node, n = nodes[i], known = forwardAt[i] <= now, adjoint = adjointAt(i, now);
      const current = now > 0 && steps[now - 1][1] === i;
      state = `box ${n.kind}${n.target ? " target" : ""}` + (current ? (now > F ? " now-b" : " now-f") : !known ? " todo" : adjoint ? " felt" : " known");
      if (chosen === i) state += " chosen";
      if (texts) {
        const fits = (text, letter) => clip(text, Math.floor((b.w - 20) / letter));
        set(e, ".value", known && n.value ? fits("= " + n.value, 6.95) : "");
        if (n.kind === "op") set(e, ".slope", fits(known ? n.slopes.map((s) => `∂/∂${s.of} ${s.text}`).join("  ") : n.code, 6.35));
        set(e, ".adjoint", adjoint ? fits("∂ " + adjoint, 6.95) : "");
      }
    }
    if (e.state !== state) e.setAttribute("class", e.state = state);
  }
  function set(e, which, text) {
    const seen = e.texts || (e.texts = {}), t = seen[which] || (seen[which] = { at: e.querySelector(which), text: "" });
    if (t.text !== text) t.at.textContent = t.text = text;
  }
  function paintEdge(p, e) {
    let state = "edge";
    const current = now > 0 ? steps[now - 1] : null;
    if (current && e.pairs.some(([u, v, i]) => v === current[1] && (current[0] === "f" || current[3].some((g) => g[0] === u && g[1] === i)))) state += current[0] === "f" ? " now-f" : " now-b";
    else if (e.pairs.every(([, v]) => forwardAt[v] > now)) state += " todo";
    else if (e.pairs.some(([u, v]) => backwardAt[v] && backwardAt[v] <= now && told[u].length)) state += " felt";
    if (p.state !== state) p.setAttribute("class", p.state = state);
  }

  // Only what is in sight (and a margin) is in the document.
  const view = { x: 0, y: 0, k: 1 };
  const drawn = { boxes: new Map(), edges: new Map(), frames: new Map() };
  let waiting = false;
  function refresh() {
    if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; draw(); }); }
  }
  function draw() {
    const stage = $("stage"), w = stage.clientWidth, h = stage.clientHeight;
    $("world").setAttribute("transform", `translate(${r1(view.x)} ${r1(view.y)}) scale(${view.k})`);
    $("canvas").classList.toggle("far", view.k < FAR);
    $("canvas").classList.toggle("dots", view.k < 0.13);
    const m = 160 / view.k;
    const left = -view.x / view.k - m, top = -view.y / view.k - m, right = (w - view.x) / view.k + m, bottom = (h - view.y) / view.k + m;
    sync(drawn.boxes, boxes, $("boxes"), (b) => b.x + b.w / 2 > left && b.x - b.w / 2 < right && b.y + b.h / 2 > top && b.y - b.h / 2 < bottom, drawBox, (e, b) => paintBox(e, b, view.k >= FAR));
    sync(drawn.frames, frames, $("frames"), (f) => f.x + f.w > left && f.x < right && f.y + f.h > top && f.y < bottom, drawFrame, (e, f) => {
      // no more of a long frame than is to be seen
      const y = Math.max(f.y, top - 400), end = Math.min(f.y + f.h, bottom + 400);
      e.firstChild.setAttribute("y", r1(y)); e.firstChild.setAttribute("height", r1(Math.max(20, end - y)));
    });
    sync(drawn.edges, edges, $("edges"), (e) => e.right > left && e.left < right && e.bottom > top && e.top < bottom, (e) => svg("path", { d: e.d }), paintEdge);
  }
  function sync(have, all, layer, visible, make, paint) {
    const fresh = document.createDocumentFragment();
    for (const [id, item] of all) {
      let e = have.get(id);
      if (!visible(item)) { if (e) { e.remove(); have.delete(id); } continue; }
      if (!e) { e = make(item); have.set(id, e); fresh.append(e); }
      paint(e, item);
    }
    layer.append(fresh);
  }

  // -- moving about -------------------------------------------------------------------------------------------------------------
  function zoom(factor, cx, cy) {
    const k = Math.min(3, Math.max(0.02, view.k * factor)), f = k / view.k;
    view.x = cx - (cx - view.x) * f; view.y = cy - (cy - view.y) * f; view.k = k;
    refresh();
  }
  const middle = () => [$("stage").clientWidth / 2, $("stage").clientHeight / 2];
  function fit() {
    const w = $("stage").clientWidth, h = $("stage").clientHeight;
    view.k = Math.min(1.25, (w - 40) / whole.w, (h - 40) / whole.h);
    view.x = (w - whole.w * view.k) / 2; view.y = Math.max(14, (h - whole.h * view.k) / 2);
    refresh();
  }
  function begin() {
    fit();
    const least = $("stage").clientWidth < 600 ? 0.62 : 0.72;
    if (view.k < least) { // too small to read: the beginning instead
      const first = nodes.findIndex((n) => n.kind === "op");
      const b = boxes.get(first < 0 ? 0 : seen(first));
      view.k = least;
      if (b) { view.x = $("stage").clientWidth / 2 - b.x * least; view.y = 40 - Math.max(0, b.y - b.h / 2 - H - GAP) * least; }
    }
    refresh();
  }
  let gliding = 0;
  function bringIntoView(b) {
    const w = $("stage").clientWidth, h = $("stage").clientHeight, m = 46;
    const x = b.x * view.k + view.x, y = b.y * view.k + view.y, half = [(b.w * view.k) / 2, (b.h * view.k) / 2];
    let dx = 0, dy = 0;
    if (x - half[0] < m || x + half[0] > w - m) dx = w / 2 - x;
    if (y - half[1] < m || y + half[1] > h - m) dy = h / 2 - y;
    // no more is moved than shows more of the picture: what fits is seen whole, and no edge of it comes inside the stage
    const within = (at, size, room) => size <= room - 20 ? (room - size) / 2 : Math.min(24, Math.max(room - 24 - size, at));
    if (dx) dx = within(view.x + dx, whole.w * view.k, w) - view.x;
    if (dy) dy = within(view.y + dy, whole.h * view.k, h) - view.y;
    if (!dx && !dy) return refresh();
    const from = [view.x, view.y], start = performance.now(), run = ++gliding;
    if (calm) { view.x += dx; view.y += dy; return refresh(); }
    (function glide(t) {
      if (run !== gliding) return;
      const s = Math.min(1, Math.max(0, (t - start) / 220)), ease = 1 - (1 - s) ** 3;
      view.x = from[0] + dx * ease; view.y = from[1] + dy * ease;
      draw();
      if (s < 1) requestAnimationFrame(glide);
    })(start);
  }

  // -- stepping -----------------------------------------------------------------------------------------------------------------
  function go(t, pick) {
    now = Math.max(0, Math.min(N, t));
    chosen = pick === undefined ? (now > 0 ? steps[now - 1][1] : null) : pick;
    $("slider").value = now;
    document.body.classList.toggle("backward", now > F);
    $("count").textContent = `${now} / ${N}`;
    $("first").disabled = $("back").disabled = now === 0;
    $("next").disabled = $("last").disabled = now === N;
    tell();
    const b = chosen === null ? null : boxes.get(seen(chosen));
    if (b) bringIntoView(b); else refresh();
  }
  let timer = 0;
  function play(on) {
    clearInterval(timer);
    $("play").classList.toggle("on", on);
    $("play").setAttribute("aria-label", on ? "Pause" : "Play");
    timer = 0;
    if (!on) return;
    if (now === N) go(0);
    timer = setInterval(() => { if (now === N) play(false); else go(now + 1); }, Math.max(120, Math.min(900, 60000 / N)));
  }
  function pickNode(i) {
    play(false);
    const f = forwardAt[i], b = backwardAt[i];
    if (nodes[i].kind !== "op") { // a leaf: when its adjoint is complete, or the beginning
      const last = told[i].length ? told[i][told[i].length - 1][0] : 0;
      return go(now > F && last ? last : now, i);
    }
    go(now > F && b && now !== b ? b : now === f && b ? b : f);
  }
  function toggle(g) {
    g.open = !g.open;
    const before = anchor(g);
    arrange();
    const after = anchor(g);
    if (before && after) { view.x += (before.x - after.x) * view.k; view.y += (before.y - after.y) * view.k; }
    foldLabel();
    refresh();
  }
  /** The top of a group, folded or not. */
  function anchor(g) {
    const b = boxes.get("g" + g.id), f = frames.get(g.id);
    return b ? { x: b.x, y: b.y - b.h / 2 } : f ? { x: f.x + f.w / 2, y: f.y } : null;
  }
  const foldable = groups.slice(1);
  function foldLabel() { $("fold").textContent = foldable.some((g) => !g.open) ? "Unfold" : "Fold"; }
  function foldAll() {
    const open = foldable.some((g) => !g.open);
    foldable.forEach((g) => { g.open = open; });
    arrange(); foldLabel(); begin();
  }

  // -- the panel ------------------------------------------------------------------------------------------------------------------
  const called = (i) => nodes[i].name || nodes[i].op;
  function tell() {
    const story = $("story"), facts = $("facts");
    story.replaceChildren(); facts.replaceChildren();
    const s = now > 0 ? steps[now - 1] : null, T = scene.target;
    if (!s) {
      story.append(html("div", "phase", "Start"), html("p", "say", F === 0 ? `No operation was recorded on the way to ${T}: there is nothing to draw.` : `${F} operation${F === 1 ? "" : "s"} from the inputs to ${T}. Step on with → or the buttons below; click a node to go to it.`));
    } else {
      const i = s[1], n = nodes[i], args = [...n.ins.map(([u]) => called(u)), ...n.constants].join(", ");
      if (s[0] === "f") {
        story.append(html("div", "phase f", `Forward, operation ${n.number} of ${F}`), html("p", "say", `${n.name || "result"} = ${n.op}(${args})`));
        if (n.value) story.append(html("div", "sum f", `${n.name || n.op} = ${n.value}`));
      } else {
        story.append(html("div", "phase b", `Backward, step ${now - F} of ${N - F}`), html("p", "say", `∂${T}/∂${called(i)} = ${s[2]} flows back through ${n.op}`));
        for (const [u, k, part, total] of s[3]) {
          const slope = n.slopes.find((d) => d.i === k), product = slope && slope.form === "elementwise" ? `${s[2]} · ${slope.text} = ` : "";
          story.append(html("div", "sum", `∂${T}/∂${called(u)} += ${product}${part}` + (total !== part ? ` → ${total}` : "")));
        }
      }
    }
    if (chosen !== null) {
      const n = nodes[chosen], dl = html("dl", "");
      const fact = (name, text, kind) => { if (text) dl.append(html("dt", "", name), html("dd", (kind || "") + (/\n/.test(text) ? " wide" : ""), text)); };
      fact(n.kind === "op" ? "operation" : n.kind === "leaf" ? "input" : "constant", n.kind === "op" ? n.op : n.name || n.op);
      fact("code", n.code);
      fact("form", n.form);
      fact("attributes", n.attrs);
      if (forwardAt[chosen] <= now) {
        fact("value", n.full, "value");
        for (const d of n.slopes) fact("∂/∂" + d.of, d.full || "a linear map, too large to be written down");
      }
      const complete = n.kind === "op" ? backwardAt[chosen] && backwardAt[chosen] <= now : now === N;
      const adjoint = adjointAt(chosen, now);
      if (adjoint) fact(`∂${T}/∂${called(chosen)}`, complete ? n.adjointFull : adjoint + " so far", "adjoint");
      facts.append(dl);
      if (n.doc) facts.append(html("p", "doc", n.doc));
    }
    showCode(chosen === null ? null : nodes[chosen].line);
  }
  let shown = null;
  function showCode(line) {
    const file = scene.files.find((f) => line && f.file === line[0]) || shown || scene.files[0];
    if (!file) return;
    const pane = $("code");
    if (shown !== file) {
      shown = file;
      const list = html("ol", "");
      for (const [n, text] of file.lines) { const li = html("li", "", text || " "); li.dataset.n = n; list.append(li); }
      const name = html("h2", "", file.file.split(/[\\/]/).pop());
      name.title = file.file;
      pane.replaceChildren(name, list);
    }
    pane.querySelectorAll("li.here").forEach((li) => li.classList.remove("here"));
    const li = line && pane.querySelector(`li[data-n="${line[1]}"]`);
    if (li) { li.classList.add("here"); li.parentNode.scrollTop = li.offsetTop - li.parentNode.offsetTop - li.parentNode.clientHeight / 2; }
  }

  // -- export -----------------------------------------------------------------------------------------------------------------------
  function picture() {
    const out = svg("svg", { xmlns: NS, class: "graph", width: Math.ceil(whole.w + 24), height: Math.ceil(whole.h + 24), viewBox: `-12 -12 ${Math.ceil(whole.w + 24)} ${Math.ceil(whole.h + 24)}` });
    const look = getComputedStyle(document.documentElement);
    const css = $("graph-style").textContent.replace(/var\((--[\w-]+)\)/g, (_, name) => look.getPropertyValue(name).trim());
    out.append(svg("style", {}, css), svg("rect", { x: -12, y: -12, width: "100%", height: "100%", fill: look.getPropertyValue("--page").trim() }));
    frames.forEach((f) => out.append(drawFrame(f)));
    for (const [, e] of edges) { const p = svg("path", { d: e.d }); paintEdge(p, e); out.append(p); }
    for (const [, b] of boxes) { const g = drawBox(b); paintBox(g, b); out.append(g); }
    return new XMLSerializer().serializeToString(out);
  }
  function save(blob, ending) {
    const a = html("a", "");
    a.href = URL.createObjectURL(blob);
    a.download = scene.title.replace(/[^\w-]+/g, "_") + ending;
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 4000);
  }
  const saveSVG = () => save(new Blob([picture()], { type: "image/svg+xml" }), ".svg");
  function pngBlob() {
    return new Promise((good, bad) => {
      const image = new Image(), scale = Math.min(2, 16000 / whole.w, 16000 / whole.h);
      image.onload = () => {
        const c = html("canvas", "");
        c.width = Math.ceil((whole.w + 24) * scale); c.height = Math.ceil((whole.h + 24) * scale);
        c.getContext("2d").drawImage(image, 0, 0, c.width, c.height);
        c.toBlob((blob) => (blob ? good(blob) : bad(new Error("the picture is too large for a PNG"))), "image/png");
      };
      image.onerror = () => bad(new Error("the picture could not be drawn"));
      image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(picture());
    });
  }

  // -- events ------------------------------------------------------------------------------------------------------------------------
  const does = { first: () => go(0), back: () => go(now - 1), next: () => go(now + 1), last: () => go(N) };
  for (const id in does) $(id).onclick = () => { play(false); does[id](); };
  $("play").onclick = () => play(!timer);
  $("slider").oninput = () => { play(false); go(+$("slider").value); };
  $("in").onclick = () => zoom(1.3, ...middle());
  $("out").onclick = () => zoom(1 / 1.3, ...middle());
  $("fit").onclick = fit;
  $("fold").onclick = foldAll;
  $("svg").onclick = saveSVG;
  $("png").onclick = () => pngBlob().then((b) => save(b, ".png"), (e) => { $("note").hidden = false; $("note").textContent = e.message; });
  const keys = { ArrowRight: "next", ArrowLeft: "back", Home: "first", End: "last" };
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (keys[e.key]) { play(false); does[keys[e.key]](); }
    else if (e.key === "PageDown") { play(false); go(now + 10); }
    else if (e.key === "PageUp") { play(false); go(now - 10); }
    else if (e.key === " " && document.activeElement.tagName !== "BUTTON") play(!timer);
    else if (e.key === "+" || e.key === "=") zoom(1.3, ...middle());
    else if (e.key === "-") zoom(1 / 1.3, ...middle());
    else if (e.key === "0" || e.key === "f") fit();
    else if (e.key === "u" && foldable.length) foldAll();
    else if (e.key === "Escape") go(now, null);
    else return;
    e.preventDefault();
  });
  const stage = $("stage"), fingers = new Map();
  let travelled = 0, pinch = 0, pressed = null;
  stage.addEventListener("wheel", (e) => {
    e.preventDefault(); gliding++;
    const r = stage.getBoundingClientRect();
    zoom(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0016)), e.clientX - r.left, e.clientY - r.top);
  }, { passive: false });
  stage.addEventListener("pointerdown", (e) => {
    gliding++;
    fingers.set(e.pointerId, [e.clientX, e.clientY]);
    if (fingers.size === 1) { travelled = 0; pressed = e.target; }
    pinch = 0;
  });
  stage.addEventListener("pointermove", (e) => {
    const last = fingers.get(e.pointerId);
    if (!last) return;
    fingers.set(e.pointerId, [e.clientX, e.clientY]);
    if (fingers.size === 1) {
      const dx = e.clientX - last[0], dy = e.clientY - last[1];
      travelled += Math.abs(dx) + Math.abs(dy);
      if (travelled < 5) return;
      if (!stage.hasPointerCapture(e.pointerId)) stage.setPointerCapture(e.pointerId);
      stage.classList.add("dragging");
      view.x += dx; view.y += dy;
      refresh();
    } else {
      const [[ax, ay], [bx, by]] = [...fingers.values()], apart = Math.hypot(ax - bx, ay - by), r = stage.getBoundingClientRect();
      if (pinch) zoom(apart / pinch, (ax + bx) / 2 - r.left, (ay + by) / 2 - r.top);
      pinch = apart; travelled = 99;
    }
  });
  function lift(e) {
    if (!fingers.delete(e.pointerId)) return;
    pinch = 0;
    if (fingers.size) return;
    stage.classList.remove("dragging");
    if (travelled >= 5 || e.type === "pointercancel" || !pressed) return;
    const at = pressed.closest("[data-node], [data-group]");
    if (!at) return;
    if (at.dataset.node !== undefined) pickNode(+at.dataset.node);
    else if (!at.classList.contains("frame") || pressed.tagName === "text") toggle(groups[+at.dataset.group]);
  }
  stage.addEventListener("pointerup", lift);
  stage.addEventListener("pointercancel", lift);
  new ResizeObserver(refresh).observe(stage);

  $("title").textContent = scene.title;
  $("legend-adjoint").textContent = `∂ adjoint, ∂${scene.target}/∂·`;
  $("note").textContent = scene.note; $("note").hidden = !scene.note;
  $("slider").max = N;
  $("forward").style.flexGrow = F; $("backward").style.flexGrow = N - F;
  $("forward").style.flexBasis = $("backward").style.flexBasis = "0";
  $("fold").hidden = !foldable.length;
  foldLabel();
  arrange();
  begin();
  go(0);
  window.gradtape = { get step() { return now; }, get steps() { return N; }, get forward() { return F; }, get chosen() { return chosen; }, go, fit, foldAll, picture, pngBlob, view, get drawn() { return drawn.boxes.size; }, get boxes() { return boxes.size; } };
})();
