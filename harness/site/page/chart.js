"use strict";
// A series as a chart: a value with its interval for each run in commit order, breaks, and the levels between steps.
// The whole chart is one stop of the keyboard: arrows go from point to point, Enter opens its run.

{
  const { scale, circles, diamonds, crosses } = site.marks;
  const { ticks, fixed } = site.numbers;

  // series: of the index; data: of `site.data.points`; large: with labels of commits.
  const chart = (series, data, { large = false } = {}) => {
    const frame = site.el("div", { class: large ? "chart large" : "chart" });
    const { points } = data;
    const units = new Set(points.map((point) => point.unit));
    const unit = site.numbers.scale(points.map((point) => point.value), units.size === 1 ? [...units][0] : null); // of several none
    const tip = site.marks.tip(frame);
    const slider = site.el("div", {
      class: "cursor", role: "slider", tabindex: "0", "aria-label": `${site.words.metric(series)}, ${site.words.cell(series.place)}: points in commit order`,
      "aria-valuemin": 1, "aria-valuemax": points.length, "aria-orientation": "horizontal",
    });
    let drawn = null;
    let at = points.length - 1;

    const select = (place, show = true) => {
      at = Math.max(0, Math.min(points.length - 1, place));
      slider.setAttribute("aria-valuenow", at + 1);
      slider.setAttribute("aria-valuetext", text(points[at], series, data));
      if (!drawn) return;
      const [x, y] = drawn.position(points[at]);
      drawn.mark.setAttribute("d", show ? circles([[x, y]], large ? 7 : 5.5) + `M${x} ${drawn.top}V${drawn.bottom}` : "");
      if (show) tip.show(x, y, content(points[at], series, data));
      else tip.hide();
    };

    site.marks.fitted(frame, (width) => {
      const height = large ? Math.max(280, Math.min(440, width * 0.42)) : 164;
      drawn = draw(series, data, unit, width, height, large);
      frame.querySelector("svg")?.remove();
      frame.prepend(drawn.svg);
      slider.style.height = `${height}px`;
      select(at, document.activeElement === slider);
    });

    const nearest = (event) => {
      const x = event.clientX - frame.getBoundingClientRect().left;
      return points.length < 2 ? 0 : Math.round(((x - drawn.left) / (drawn.right - drawn.left)) * (points.length - 1));
    };
    slider.addEventListener("pointermove", (event) => { if (drawn) select(nearest(event)); });
    slider.addEventListener("pointerdown", (event) => { if (drawn) select(nearest(event)); });
    slider.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && document.activeElement !== slider) select(at, false); });
    slider.addEventListener("focus", () => select(at));
    slider.addEventListener("blur", () => select(at, false));
    slider.addEventListener("dblclick", () => open(points[at]));
    slider.addEventListener("keydown", (event) => {
      const page = Math.max(2, Math.round(points.length / 10));
      const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageUp: at + page, PageDown: at - page, Home: 0, End: points.length - 1 }[event.key];
      if (to !== undefined) select(to);
      else if (event.key === "Enter") open(points[at]);
      else if (event.key === "Escape") select(at, false);
      else return;
      event.preventDefault();
    });
    select(at, false);
    frame.append(slider);
    return frame;
  };

  const open = (point) => { location.hash = site.address.href("run", { id: point.run.id }); };

  const value = (point) => (site.numbers.given(point.value) ? site.numbers.told(point.value, point.low, point.high, point.unit) : "no value");

  const over = (point) => [
    point.n && (point.runs ?? 1) === 1 ? `n ${point.n.toLocaleString("en-US")}${point.how.nUnit ? ` ${point.how.nUnit}` : ""}` : null,
    point.launches && (point.runs ?? 1) === 1 ? `${point.launches} ${point.launches === 1 ? "launch" : "launches"}` : null,
  ].filter(Boolean).join(", ");

  const stepAt = (point, data) => data.steps.find((step) => step.at === point.place);
  const breakAt = (point, data) => data.breaks.find(([place]) => place === point.place);

  const remarks = (point, series, data) => [
    ...point.marks,
    stepAt(point, data) ? `step here: ${site.numbers.change(stepAt(point, data).change)}` : null,
    breakAt(point, data) ? `not comparable with what came before: ${breakAt(point, data)[1]}` : null,
  ].filter(Boolean);

  const text = (point, series, data) => [
    `${point.place + 1} of ${data.points.length}`, `commit ${(point.run.commit || "unknown").slice(0, 10)}`, point.run.subject,
    value(point), over(point), ...remarks(point, series, data),
  ].filter(Boolean).join("; ");

  const content = (point, series, data) => [
    site.el("p", {}, site.el("strong", {}, value(point))),
    site.el("p", {}, site.el("code", {}, (point.run.commit || "no commit").slice(0, 10)), ` ${site.dates.minute(point.run.time)}`),
    point.run.subject ? site.el("p", {}, point.run.subject) : "",
    over(point) ? site.el("p", { class: "soft" }, over(point)) : "",
    ...remarks(point, series, data).map((line) => site.el("p", { class: "doubt" }, line)),
  ].filter(Boolean);

  // The values that the axis spans: all values, and of their intervals what is within twice their range.
  const domain = (points, steps) => {
    const values = points.map((point) => point.value).filter(site.numbers.given);
    if (!values.length) return [0, 1];
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const room = high - low || Math.max(...points.map((point) => (point.high ?? 0) - (point.low ?? 0)), 0) || Math.abs(high) * 0.01 || 1;
    const ends = [...points, ...steps.map((step) => ({ low: step.before[1], high: step.after[2] }))];
    const lowest = Math.min(low, ...ends.map((one) => one.low).filter(site.numbers.given));
    const highest = Math.max(high, ...ends.map((one) => one.high).filter(site.numbers.given));
    low = Math.max(lowest, low - room);
    high = Math.min(highest, high + room);
    // Ends are kept with fewer digits than values: what that alone leaves between them is no range.
    if (high - low < room * 1e-3) [low, high] = [low - room, high + room];
    const margin = (high - low) * 0.08;
    return [low - margin, high + margin];
  };

  const draw = (series, data, unit, width, height, large) => {
    const { points, breaks, steps } = data;
    const [low, high] = domain(points, steps);
    const axis = ticks(low * unit.factor, high * unit.factor, large ? 6 : 4);
    const labels = axis.values.map((tick) => fixed(tick, axis.decimals));
    const left = 14 + 6.6 * Math.max(1, ...labels.map((label) => label.length));
    const [right, top, bottom] = [width - 12, large ? 44 : steps.length ? 34 : 18, height - (large ? 34 : 20)];
    const x = scale(0, Math.max(1, points.length - 1), left, right);
    const at = (place) => (points.length === 1 ? (left + right) / 2 : x(place));
    const y = scale(low, high, bottom, top);
    const clip = `clip-${series.id}${large ? "-large" : ""}`;
    const position = (point) => [at(point.place), site.numbers.given(point.value) ? y(point.value) : bottom - 4];

    const svg = site.svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
    const add = (name, attributes, ...children) => svg.append(site.svg(name, attributes, ...children));
    svg.append(site.svg("clipPath", { id: clip }, site.svg("rect", { x: left - 6, y: top - 6, width: right - left + 12, height: bottom - top + 12 })));

    axis.values.forEach((tick, place) => {
      const line = y(tick / unit.factor);
      add("line", { class: "grid", x1: left, x2: right, y1: line, y2: line });
      add("text", { class: "tick", x: left - 7, y: line + 4, "text-anchor": "end" }, labels[place]);
    });
    if (unit.unit) add("text", { class: "tick", x: 0, y: 11 }, unit.unit);
    commitLabels(points, at, large, width).forEach(([place, label, anchor]) =>
      add("text", { class: "tick", x: at(place), y: bottom + 16, "text-anchor": anchor }, label));

    for (const [place] of breaks) {
      const line = (at(place - 1) + at(place)) / 2;
      add("line", { class: "break", x1: line, x2: line, y1: top - 8, y2: bottom });
      if (large && width > 700) add("text", { class: "note", x: line, y: 12, "text-anchor": line > right - 60 ? "end" : "middle" }, "definition changed");
    }
    levels(series, data, at, y, svg, { left, right, top, bottom, clip, large });

    const kinds = { plain: [], dirty: [], outside: [], missing: [] };
    for (const point of points) {
      const kind = !site.numbers.given(point.value) ? "missing" : point.isApart ? "outside" : point.isDirty ? "dirty" : "plain";
      kinds[kind].push(point);
    }
    const r = Math.max(1.4, Math.min(large ? 3.6 : 2.4, (0.42 * (right - left)) / points.length + 0.6));
    const bars = (some) => some.filter((point) => site.numbers.given(point.low) && site.numbers.given(point.high) && point.low !== point.high)
      .map((point) => `M${at(point.place)} ${y(point.low)}V${y(point.high)}`).join("");
    const centers = (kind) => kinds[kind].map(position);
    add("path", { class: "bars", d: bars([...kinds.plain, ...kinds.dirty]), "clip-path": `url(#${clip})` });
    add("path", { class: "bars outside", d: bars(kinds.outside), "clip-path": `url(#${clip})` });
    add("path", { class: "points", d: circles(centers("plain"), r) });
    add("path", { class: "points dirty", d: diamonds(centers("dirty"), r + 1.4) });
    add("path", { class: "points outside", d: circles(centers("outside"), r) });
    add("path", { class: "points missing", d: crosses(centers("missing"), 3.5) });
    const mark = site.svg("path", { class: "selected" });
    svg.append(mark);
    return { svg, mark, position, left, right, top, bottom };
  };

  // The first and last commit, of a large chart some between: by hash, and by day where there is room.
  const commitLabels = (points, at, large, width) => {
    const count = points.length;
    const name = (point) => `${(point.run.commit || "?").slice(0, 7)}${large && width > 700 && point.run.time !== null ? ` · ${site.dates.day(point.run.time)}` : ""}`;
    if (count === 1) return [[0, name(points[0]), "middle"]];
    const between = large ? Math.max(0, Math.min(count - 2, Math.floor(width / 190) - 2)) : 0;
    const places = Array.from({ length: between + 2 }, (_, number) => Math.round((number * (count - 1)) / (between + 1)));
    return places.map((place, number) => [place, name(points[place]), number === 0 ? "start" : number === places.length - 1 ? "end" : "middle"]);
  };

  // Levels with their 95 % bands, and the steps between them with the change in words.
  const levels = (series, data, at, y, svg, { left, right, top, bottom, clip, large }) => {
    const taken = [-Infinity, -Infinity]; // where the last words of each of two rows end
    const ends = [0, ...data.breaks.map(([place]) => place), data.points.length];
    data.steps.forEach((step, number) => {
      const start = Math.max(ends.filter((place) => place <= step.at).at(-1), data.steps[number - 1]?.at ?? 0);
      const end = Math.min(ends.find((place) => place > step.at), data.steps[number + 1]?.at ?? data.points.length);
      const sides = [[start, step.at - 1, step.before], [step.at, end - 1, step.after]];
      for (const [from, to, [value, low, high]] of sides) {
        if (site.numbers.given(low) && site.numbers.given(high)) {
          svg.append(site.svg("rect", { class: "band", x: at(from), width: Math.max(1, at(to) - at(from)), y: y(high), height: Math.max(1, y(low) - y(high)), "clip-path": `url(#${clip})` }));
        }
        svg.append(site.svg("line", { class: "level", x1: at(from), x2: at(to), y1: y(value), y2: y(value) }));
      }
      const kind = site.stepKind(series, step);
      const place = (at(step.at - 1) + at(step.at)) / 2;
      const [first, last] = [(at(step.earliest - 1) + at(step.earliest)) / 2, (at(step.latest - 1) + at(step.latest)) / 2];
      if (last > first) svg.append(site.svg("rect", { class: `where ${kind}`, x: first, width: last - first, y: top - 6, height: bottom - top + 6 }));
      svg.append(site.svg("line", { class: `step ${kind}`, x1: place, x2: place, y1: top - 6, y2: bottom }));
      const anchor = place > right - 60 ? "end" : place < left + 60 ? "start" : "middle";
      const row = taken.findIndex((end) => end < place - 32);
      if (row < 0) return; // too near to two others: the table has it
      taken[row] = place + 32;
      svg.append(site.svg("text", { class: `note ${kind}`, x: place, y: top - 10 - 13 * row, "text-anchor": anchor },
        `${step.change[0] > 0 ? "▲" : "▼"} ${site.numbers.percent(step.change[0])}`));
    });
  };

  site.chart = chart;
  site.pointText = { value, over };
}

// Whether a step is for the better or the worse, as far as its metric has a better.
site.stepKind = (series, step) => {
  const up = step.change[0] > 0;
  const { direction } = series.metric;
  return direction === "none" ? "doubt" : up === (direction === "higher") ? "good" : "bad";
};

site.legend = () => {
  const mark = (kind, d) => site.svg("svg", { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" }, site.svg("path", { class: kind, d }));
  const item = (picture, text) => site.el("li", {}, picture, text);
  const { circles, diamonds, crosses } = site.marks;
  return site.el("ul", { class: "legend", "aria-label": "Marks" },
    item(mark("points", circles([[7, 7]], 3.6)), "commit, the bar its interval (of several runs: their range)"),
    item(mark("points dirty", diamonds([[7, 7]], 5)), "uncommitted changes"),
    item(mark("points outside", circles([[7, 7]], 3.6)), `outside of ${site.index.branch ?? "the branch"}, or merged into it later`),
    item(mark("points missing", crosses([[7, 7]], 3.5)), "no value"),
    item(mark("break", "M7 0V14"), "definition changed: not comparable across"),
    item(mark("step doubt", "M7 0V14"), "change point, shaded where it may lie"));
};
