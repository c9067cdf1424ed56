"use strict";
(() => {
  const D = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const NS = "http://www.w3.org/2000/svg";

  // ---- arrays -------------------------------------------------------------------------------------------------
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);
  const unpacked = (packed) => {
    const from = bytes(packed.data), bits = packed.bits, per = 8 / bits, mask = (1 << bits) - 1;
    const out = new Uint8Array(D.states);
    for (let k = 0; k < D.states; k++) out[k] = (from[Math.floor(k / per)] >> (bits * (k % per))) & mask;
    return out;
  };
  const second = unpacked(D.second), first = unpacked(D.first);
  const values = D.values && D.values.map(floats);
  const terms = D.terms.map((t) => Object.fromEntries(Object.entries(t).map(([k, v]) => [k, typeof v === "string" && k !== "kind" && k !== "first" ? floats(v) : v])));
  const S = D.signals, strides = new Array(S.length);
  for (let k = S.length - 1, step = 1; k >= 0; k--) { strides[k] = step; step *= S[k].points.length; }
  const place = S.map((s) => Math.floor((s.points.length - 1) / 2));
  const index = () => place.reduce((sum, p, k) => sum + p * strides[k], 0);
  const own = (b) => D.buyers[b].signals;
  const owner = S.map((_, k) => D.buyers.findIndex((b) => b.signals.includes(k)));
  const fibre = (b, at) => S.reduce((sum, s, k) => owner[k] === b ? sum : sum * s.points.length + at[k], 0);
  const level = (b, at) => at[terms[b].first];
  const show = (v) => v === undefined || Number.isNaN(v) ? "" : v === Infinity ? "never" : v === -Infinity ? "always" : (Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5) || v === 0 ? v.toFixed(4) : v.toPrecision(4);
  const point = (k, p) => Number(S[k].points[p].toPrecision(4)).toString();
  const saying = (k, p) => `${S[k].name} = ${point(k, p)}${S[k].quantile ? " (quantile)" : ""}`;
  const colour = (kind) => kind.length ? `var(--b${kind[0] % 8})` : "var(--nobody)";
  const called = (kind) => kind.length ? `buyer ${kind.map((b) => D.buyers[b].name).join(", ")}` : "nobody";

  // ---- elements -----------------------------------------------------------------------------------------------
  const svg = (parent, tag, attributes, words) => {
    const made = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (words !== undefined) made.textContent = words;
    parent.appendChild(made);
    return made;
  };
  const option = (select, value, words) => { const made = document.createElement("option"); made.value = value; made.textContent = words; select.appendChild(made); };
  const edges = (points) => {
    if (points.length === 1) return [points[0] - 0.5, points[0] + 0.5];
    const middle = points.slice(1).map((p, k) => (p + points[k]) / 2), last = middle.length - 1;
    return [2 * points[0] - middle[0], ...middle, 2 * points[points.length - 1] - middle[last]];
  };
  const scale = (from, to, low, high) => (v) => high === low ? (from + to) / 2 : from + (to - from) * (v - low) / (high - low);
  const ticks = (low, high) => {
    if (!(high > low)) return [low];
    const raw = (high - low) / 5.01, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].find((m) => m * power >= raw) * power;
    const found = [];
    for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + 1e-9 * step; v += step) found.push(Number(v.toPrecision(6)));
    return found;
  };
  const frame = (parent, box, X, Y, names, limits) => {
    svg(parent, "rect", {class: "axis", x: box[0], y: box[1], width: box[2] - box[0], height: box[3] - box[1]});
    for (const t of ticks(...limits[0])) { svg(parent, "path", {class: "axis", d: `M${X(t)} ${box[3]}v5`}); svg(parent, "text", {x: X(t), y: box[3] + 18, "text-anchor": "middle"}, t); }
    if (limits[1]) for (const t of ticks(...limits[1])) { svg(parent, "path", {class: "axis", d: `M${box[0]} ${Y(t)}h-5`}); svg(parent, "text", {x: box[0] - 8, y: Y(t) + 4, "text-anchor": "end"}, t); }
    svg(parent, "text", {x: (box[0] + box[2]) / 2, y: box[3] + 36, "text-anchor": "middle"}, names[0]);
    if (names[1]) svg(parent, "text", {transform: `translate(13 ${(box[1] + box[3]) / 2}) rotate(-90)`, "text-anchor": "middle"}, names[1]);
  };

  // ---- the map ------------------------------------------------------------------------------------------------
  const box = [52, 8, 472, 392];
  let x = 0, y = -1;
  const grid = () => {
    const across = S[x].points.length, up = y < 0 ? 1 : S[y].points.length;
    const base = index() - place[x] * strides[x] - (y < 0 ? 0 : place[y] * strides[y]);
    const at = (i, j) => base + i * strides[x] + (y < 0 ? 0 : j * strides[y]);
    const EX = edges(S[x].points), EY = y < 0 ? [0, 1] : edges(S[y].points);
    return {across, up, at, EX, EY, X: scale(box[0], box[2], EX[0], EX[across]), Y: scale(box[3], box[1], EY[0], EY[up])};
  };
  const cellPath = (g, i, j) => `M${g.X(g.EX[i]).toFixed(2)} ${g.Y(g.EY[j]).toFixed(2)}H${g.X(g.EX[i + 1]).toFixed(2)}V${g.Y(g.EY[j + 1]).toFixed(2)}H${g.X(g.EX[i]).toFixed(2)}Z`;
  const borders = (g, rule) => {
    let d = "";
    for (let i = 0; i < g.across; i++) for (let j = 0; j < g.up; j++) {
      const here = rule[g.at(i, j)];
      if (i + 1 < g.across && rule[g.at(i + 1, j)] !== here) d += `M${g.X(g.EX[i + 1])} ${g.Y(g.EY[j])}V${g.Y(g.EY[j + 1])}`;
      if (j + 1 < g.up && rule[g.at(i, j + 1)] !== here) d += `M${g.X(g.EX[i])} ${g.Y(g.EY[j + 1])}H${g.X(g.EX[i + 1])}`;
    }
    return d;
  };
  const drawMap = () => {
    const map = $("map"), mode = $("rule").value, g = grid(), rule = mode === "first" ? first : second;
    map.replaceChildren();
    const paths = new Map();
    for (let i = 0; i < g.across; i++) for (let j = 0; j < g.up; j++) {
      const s = g.at(i, j), part = mode === "part";
      const key = part ? (first[s] === second[s] ? "same" : "other") : rule[s];
      paths.set(key, (paths.get(key) || "") + cellPath(g, i, j));
    }
    const legend = $("legend");
    legend.replaceChildren();
    const entry = (fill, words) => { const li = document.createElement("li"), box = document.createElement("span"); box.className = "swatch"; box.style.background = fill; li.append(box, words); legend.appendChild(li); };
    const keys = [...paths.keys()].sort();
    for (const key of keys) {
      const fill = key === "same" ? "var(--nobody)" : key === "other" ? "var(--mark)" : colour(D.kinds[key]);
      const drawn = svg(map, "path", {d: paths.get(key), style: `fill:${fill};stroke:${fill};stroke-width:.4`});
      drawn.dataset.kind = key;
      entry(fill, key === "same" ? "the same as the first best" : key === "other" ? "not as in the first best" : called(D.kinds[key]));
    }
    if (mode === "second") {
      const d = borders(g, first);
      if (d) { svg(map, "path", {class: "halo", d}); svg(map, "path", {class: "edge", d}); entry("var(--edge)", "line: the first best changes hands"); }
    }
    svg(map, "path", {class: "cursor", d: cellPath(g, place[x], y < 0 ? 0 : place[y])});
    const label = (k) => S[k].name + (S[k].quantile ? " (quantile)" : "");
    frame(map, box, g.X, g.Y, [label(x), y < 0 ? "" : label(y)], [[g.EX[0], g.EX[g.across]], y < 0 ? null : [g.EY[0], g.EY[g.up]]]);
  };

  // ---- the chosen state ---------------------------------------------------------------------------------------
  const drawState = () => {
    const s = index(), winners = D.kinds[second[s]], best = D.kinds[first[s]];
    $("state-words").textContent = `${S.map((_, k) => saying(k, place[k])).join(", ")}: ${called(winners)} gets it` + (second[s] === first[s] ? ", as in the first best." : `; the first best gives it to ${called(best)}.`);
    const body = $("buyers");
    body.replaceChildren();
    let menus = false;
    D.buyers.forEach((buyer, b) => {
      const t = terms[b], f = fibre(b, place), wins = winners.includes(b), value = values ? values[b][s] : NaN;
      let term, fee = 0;
      if (t.kind === "menu") { menus = true; const k = f * t.levels + level(b, place); term = t.strike[k]; fee = t.fee[k]; } else term = t.price[f];
      const pays = fee + (wins ? term : 0), row = document.createElement("tr");
      const cells = [buyer.name + (wins ? " ✓" : ""), show(value), show(term) + (fee ? ` + ${show(fee)}` : ""), show(pays), values ? show((wins ? value : 0) - pays) : ""];
      cells.forEach((words, k) => { const cell = document.createElement("td"); if (k) cell.className = "n"; cell.textContent = words; row.appendChild(cell); });
      body.appendChild(row);
    });
    $("term").textContent = menus ? "strike + fee" : "price";
    $("note").textContent = menus ? "The fee is due at the first stage, the strike when he buys; a fee can exceed what he gains in one state, not what he expects." : "";
  };

  // ---- price or strike as a curve -----------------------------------------------------------------------------
  const alongOptions = () => {
    const b = Number($("who-pays").value), t = terms[b], select = $("along"), before = select.value;
    select.replaceChildren();
    if (t.kind === "menu") option(select, t.first, `${S[t.first].name} (his first)`);
    S.forEach((s, k) => { if (owner[k] !== b) option(select, k, s.name); });
    if ([...select.options].some((o) => o.value === before)) select.value = before;
    $("who-pays").disabled = D.buyers.length === 1;
  };
  const drawCurve = () => {
    const b = Number($("who-pays").value), t = terms[b], target = $("curve"), area = [52, 8, 472, 252];
    target.replaceChildren();
    const k = $("along").value === "" ? -1 : Number($("along").value);
    const what = t.kind === "menu" ? "strike" : "price", at = [...place];
    const read = () => { const f = fibre(b, at), p = t.kind === "menu" ? f * t.levels + level(b, at) : f; return [t[what][p], t.lower[p], t.upper[p]]; };
    if (k < 0) { $("curve-words").textContent = `${what} ${show(read()[0])}`; return; }
    const along = S[k].points, rows = along.map((_, p) => { at[k] = p; return read(); });
    const finite = rows.flat().filter(Number.isFinite), low = Math.min(...finite), high = Math.max(...finite), room = (high - low) * 0.06 || 0.5;
    if (!finite.length) { $("curve-words").textContent = "He never wins here."; return; }
    const X = scale(area[0] + 6, area[2] - 6, along[0], along[along.length - 1]), Y = scale(area[3], area[1], low - room, high + room);
    const both = rows.map((r, p) => [p, r]).filter(([, r]) => Number.isFinite(r[1]) && Number.isFinite(r[2]));
    if (both.length > 1) svg(target, "path", {class: "band", d: "M" + both.map(([p, r]) => `${X(along[p])} ${Y(r[2])}`).join("L") + "L" + both.reverse().map(([p, r]) => `${X(along[p])} ${Y(r[1])}`).join("L") + "Z"});
    let d = "", open = false;
    rows.forEach((r, p) => { if (Number.isFinite(r[0])) { d += `${open ? "L" : "M"}${X(along[p])} ${Y(r[0])}`; open = true; } else open = false; });
    svg(target, "path", {class: "curve", d});
    rows.forEach((r, p) => { if (Number.isFinite(r[0])) svg(target, "circle", {class: p === place[k] ? "here" : "dot", cx: X(along[p]), cy: Y(r[0]), r: p === place[k] ? 5.5 : 2.2, style: p === place[k] ? "" : "fill:var(--accent)"}); });
    frame(target, area, X, Y, [S[k].name, what], [[along[0], along[along.length - 1]], [low - room, high + room]]);
    const held = S.map((_, j) => j).filter((j) => j !== k && owner[j] !== b).map((j) => saying(j, place[j]));
    const here = rows[place[k]][0];
    $("curve-words").textContent = `The ${what} of buyer ${D.buyers[b].name} is ${here === Infinity ? "out of reach" : show(here)} at ${saying(k, place[k])}` + (held.length ? `, held: ${held.join(", ")}` : "") + `. Between ${show(rows[place[k]][1])} and ${show(rows[place[k]][2])} any ${what} implements the rule. Shaded: those ${what}s along the curve.`;
  };

  // ---- controls -----------------------------------------------------------------------------------------------
  const sliders = () => {
    const area = $("sliders");
    area.replaceChildren();
    S.forEach((s, k) => {
      if (k === x || k === y) return;
      const label = document.createElement("label"), out = document.createElement("output"), input = document.createElement("input");
      input.type = "range"; input.min = 0; input.max = s.points.length - 1; input.step = 1; input.value = place[k]; input.id = `signal-${k}`; input.dataset.signal = s.name;
      label.htmlFor = input.id;
      const tell = () => { out.textContent = point(k, place[k]); input.setAttribute("aria-valuetext", saying(k, place[k])); };
      input.addEventListener("input", () => { place[k] = Number(input.value); tell(); draw(); });
      tell();
      label.append(s.name, out, input);
      area.appendChild(label);
    });
  };
  const draw = () => { drawMap(); drawState(); drawCurve(); };
  const choose = (changed) => {
    const before = [x, y];
    x = Number($("x").value);
    y = $("y").value === "" ? -1 : Number($("y").value);
    if (x === y) { if (changed === "x") { y = before[0]; $("y").value = y; } else { x = before[1]; $("x").value = x; } }
    sliders();
    draw();
  };
  S.forEach((s, k) => { option($("x"), k, s.name); option($("y"), k, s.name); });
  if (S.length === 1) { $("y").replaceChildren(); option($("y"), "", "nothing"); }
  $("x").value = D.axes[0];
  $("y").value = D.axes.length > 1 ? D.axes[1] : "";
  [x, y] = [D.axes[0], D.axes.length > 1 ? D.axes[1] : -1];
  D.buyers.forEach((b, k) => option($("who-pays"), k, b.name));
  $("x").addEventListener("change", () => choose("x"));
  $("y").addEventListener("change", () => choose("y"));
  $("rule").addEventListener("change", drawMap);
  $("who-pays").addEventListener("change", () => { alongOptions(); drawCurve(); });
  $("along").addEventListener("change", drawCurve);
  $("map").addEventListener("click", (event) => {
    const rect = $("map").getBoundingClientRect(), g = grid();
    const px = (event.clientX - rect.left) * 480 / rect.width, py = (event.clientY - rect.top) * 440 / rect.height;
    const i = g.EX.findIndex((e, k) => k < g.across && px >= g.X(e) && px < g.X(g.EX[k + 1]));
    const j = g.EY.findIndex((e, k) => k < g.up && py <= g.Y(e) && py > g.Y(g.EY[k + 1]));
    if (i < 0 || j < 0) return;
    place[x] = i;
    if (y >= 0) place[y] = j;
    draw();
  });
  $("map").addEventListener("keydown", (event) => {
    const move = {ArrowLeft: [x, -1], ArrowRight: [x, 1], ArrowDown: [y, -1], ArrowUp: [y, 1]}[event.key];
    if (!move || move[0] < 0) return;
    event.preventDefault();
    place[move[0]] = Math.min(Math.max(place[move[0]] + move[1], 0), S[move[0]].points.length - 1);
    draw();
  });
  alongOptions();
  sliders();
  draw();
})();
