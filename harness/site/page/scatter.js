"use strict";
// The frontier's picture: speed to the right, quality upwards, both so that better is farther.

{
  const { scale, circles } = site.marks;
  const { ticks, fixed } = site.numbers;
  const FADED = 12; // earlier commits that are drawn

  // commits: `{run, points}` of the frontier; labels: what each axis is.
  const scatter = (commits, labels) => {
    const frame = site.el("div", { class: "chart large scatter" });
    const tip = site.marks.tip(frame);
    const every = commits.flatMap(({ points }) => points);
    const models = [...new Set(every.map((point) => point.x.series.place.model))].sort();
    const color = (point) => `series-${models.indexOf(point.x.series.place.model) % 8}`;
    const axis = (side) => {
      const { unit, direction } = every[0][side].series.metric;
      const values = every.map((point) => point[side].value);
      return { unit: site.numbers.scale(values, unit), low: Math.min(...values), high: Math.max(...values), up: direction === "higher" };
    };
    const axes = { x: axis("x"), y: axis("y") };
    const sizes = every.map((point) => point.size?.value ?? 0);
    const radius = (point) => (point.size ? 4 + 10 * Math.sqrt(point.size.value / Math.max(...sizes)) : 6);
    let at = commits.length - 1;
    let width = 0;

    const draw = () => {
      const height = Math.max(300, Math.min(460, width * 0.55));
      const [left, right, top, bottom] = [54, width - 24, 34, height - 44];
      const range = ({ low, high }) => { const margin = (high - low || Math.abs(high) * 0.02 || 1) * 0.12; return [low - margin, high + margin]; };
      const log = axes.x.low > 0 && axes.x.high / axes.x.low > 8;
      const [xLow, xHigh] = log ? [axes.x.low / 1.3, axes.x.high * 1.3] : range(axes.x);
      const [yLow, yHigh] = range(axes.y);
      const x = scale(xLow, xHigh, ...(axes.x.up ? [left, right] : [right, left]), log);
      const y = scale(yLow, yHigh, ...(axes.y.up ? [bottom, top] : [top, bottom]));
      const svg = site.svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": `${labels.y} against ${labels.x}` });
      const add = (name, attributes, ...children) => { const one = site.svg(name, attributes, ...children); svg.append(one); return one; };

      const xTicks = log ? powers(xLow * axes.x.unit.factor, xHigh * axes.x.unit.factor) : ticks(xLow * axes.x.unit.factor, xHigh * axes.x.unit.factor, Math.max(2, Math.floor(width / 110)));
      const yTicks = ticks(yLow * axes.y.unit.factor, yHigh * axes.y.unit.factor, 5);
      for (const tick of xTicks.values) {
        const place = x(tick / axes.x.unit.factor);
        add("line", { class: "grid", x1: place, x2: place, y1: top, y2: bottom });
        add("text", { class: "tick", x: place, y: bottom + 16, "text-anchor": "middle" }, fixed(tick, xTicks.decimals));
      }
      for (const tick of yTicks.values) {
        const place = y(tick / axes.y.unit.factor);
        add("line", { class: "grid", x1: left, x2: right, y1: place, y2: place });
        add("text", { class: "tick", x: left - 7, y: place + 4, "text-anchor": "end" }, fixed(tick, yTicks.decimals));
      }
      const named = (text, { unit }) => `${text.split(",")[0]}${unit.unit ? `, ${unit.unit}` : ""}`;
      add("text", { class: "axis", x: right, y: bottom + 36, "text-anchor": "end" }, `${named(labels.x, axes.x)}: faster →`);
      add("text", { class: "axis", x: 4, y: 16 }, `↑ better: ${named(labels.y, axes.y)}`);

      const position = (point) => [x(point.x.value), y(point.y.value)];
      for (let back = Math.min(FADED, at); back > 0; back -= 1) {
        const { points } = commits[at - back];
        if (back <= 3) add("path", { class: "front faded", d: line(points, position), opacity: 0.5 - (0.4 * back) / FADED });
        for (const point of points) add("path", { class: `dot faded ${color(point)}`, d: circles([position(point)], 2.5), opacity: 0.5 - (0.4 * back) / FADED });
      }
      const { points } = commits[at];
      add("path", { class: "front", d: line(points, position) });
      for (const point of points) {
        const [px, py] = position(point);
        for (const [axisName, from, to] of [["x", point.x.low, point.x.high], ["y", point.y.low, point.y.high]]) {
          if (from === null || to === null) continue;
          const [a, b] = axisName === "x" ? [x(Math.max(xLow, from)), x(Math.min(xHigh, to))] : [y(Math.max(yLow, from)), y(Math.min(yHigh, to))];
          add("path", { class: `bars ${color(point)}`, d: axisName === "x" ? `M${a} ${py}H${b}` : `M${px} ${a}V${b}` });
        }
        const words = `${point.name}: ${told(point.y)}, ${told(point.x)}${point.size ? `, ${told(point.size)}` : ""}${point.onFront ? "; on the front" : ""}`;
        const dot = add("path", { class: `dot ${color(point)}${point.onFront && !point.onLine ? " ring" : ""}`, d: circles([[px, py]], radius(point)), tabindex: 0, role: "img", "aria-label": words });
        const show = () => tip.show(px, py - radius(point), [site.el("p", {}, site.el("strong", {}, point.name)), site.el("p", {}, told(point.y)), site.el("p", {}, told(point.x)), point.size ? site.el("p", {}, told(point.size)) : "", site.el("p", { class: "soft" }, point.onFront ? "on the front" : "beaten by another")]);
        for (const event of ["pointerenter", "pointerdown", "focus"]) dot.addEventListener(event, show);
        for (const event of ["pointerleave", "blur"]) dot.addEventListener(event, tip.hide);
      }
      for (const { point, px, py, anchor } of placed(points, position, left, right)) add("text", { class: "label", x: px, y: py, "text-anchor": anchor }, point.name);
      frame.querySelector("svg")?.remove();
      frame.prepend(svg);
    };

    // Names beside their points, left out where another stands there already.
    const placed = (points, position, left, right) => {
      const boxes = points.map((point) => {
        const [[px, py], r] = [position(point), radius(point)];
        return [px - r, py - r, px + r, py + r];
      });
      const found = [];
      for (const point of [...points].sort((a, b) => b.onFront - a.onFront)) {
        const [[px, py], r] = [position(point), radius(point)];
        const long = point.name.length * 6.6;
        const sides = [[px, py - r - 6, "middle"], [px + r + 5, py + 4, "start"], [px - r - 5, py + 4, "end"], [px, py + r + 14, "middle"]];
        for (const [tx, ty, anchor] of sides) {
          const from = anchor === "start" ? tx : anchor === "end" ? tx - long : tx - long / 2;
          const box = [from, ty - 11, from + long, ty + 3];
          if (box[0] < left || box[2] > right + 20 || boxes.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
          boxes.push(box);
          found.push({ point, px: tx, py: ty, anchor });
          break;
        }
      }
      return found;
    };

    // The front of quality and speed, from the fastest on.
    const line = (points, position) => points.filter((point) => point.onLine).map(position).sort(([a], [b]) => a - b).map(([px, py], place) => `${place ? "L" : "M"}${px} ${py}`).join("");
    const told = ({ value, low, high, unit, series }) => `${series.metric.name} ${site.numbers.told(value, low, high, unit)}`;
    const powers = (low, high) => {
      const values = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
        for (const digit of [1, 2, 5]) if (digit * 10 ** power >= low && digit * 10 ** power <= high) values.push(digit * 10 ** power);
      }
      return { values, decimals: Math.max(0, -Math.floor(Math.log10(low))) };
    };

    site.marks.fitted(frame, (now) => { width = now; draw(); });
    return { frame, select: (place) => { at = place; tip.hide(); if (width) draw(); } };
  };

  site.scatter = scatter;
}
