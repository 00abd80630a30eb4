"use strict";
// The frontier by commit: quality against speed, memory as the size of a point. A line joins what nothing else beats.

{
  const memories = (series) => series.filter((one) => one.metric.unit === "bytes" && !one.isRatio);
  const speeds = (series) => series.filter((one) => one.isTime && one.metric.direction !== "none");
  const qualities = (series) => series.filter((one) => !one.isRatio && !one.metric.dependsOn && one.metric.unit !== "bytes" && one.metric.direction !== "none");

  // A choice of an axis: a metric with all settings but those that tell variants apart.
  const VARIANT = new Set(["precision", "device", "threads", "seed"]);
  const title = (one) => [one.metric.name, ...one.place.settings.filter(([name]) => !VARIANT.has(name)).map(([name, value]) => `${name} ${value}`), one.place.part].filter(Boolean).join(", ");
  const choices = (series) => [...new Set(series.map(title))].sort();
  const preferred = (names, first) => names.find((name) => first.some((one) => name === one || name.startsWith(`${one},`))) ?? names[0] ?? "";

  const home = (one) => `${one.suite} on ${(one.machine ?? "any").slice(0, 12)}`;

  // What tells the points of one commit: the model with its precision, device, threads and seed, of these what the
  // series of every axis have.
  const variant = (one, shared) => JSON.stringify([one.place.model, one.place.settings.filter(([name]) => shared.has(name))]);
  const sharedBy = (series) => new Set([...VARIANT].filter((name) => series.every((one) => one.place.settings.some(([other]) => other === name))));

  // The first choices: of usual metrics the pair of quality and speed that most variants have.
  const usualPair = (series, axes) => {
    const usual = { quality: ["bits_per_byte", "perplexity", "acc"], speed: ["decode_rate", "tpot", "prefill_rate"] };
    const order = (axis) => [...axes[axis]].sort((a, b) => rank(usual[axis], a) - rank(usual[axis], b));
    const rank = (names, title) => { const place = names.indexOf(title.split(",")[0]); return place < 0 ? names.length : place; };
    const byTitle = (some) => some.reduce((groups, one) => groups.set(title(one), [...(groups.get(title(one)) ?? []), one]), new Map());
    const [ofSpeed, ofQuality] = [byTitle(speeds(series)), byTitle(qualities(series))];
    let best = { quality: order("quality")[0], speed: order("speed")[0], count: 0 };
    for (const speed of order("speed").slice(0, 12)) {
      for (const quality of order("quality").slice(0, 40)) {
        const [x, y] = [ofSpeed.get(speed), ofQuality.get(quality)];
        const shared = sharedBy([...x, ...y]);
        const known = new Set(y.map((one) => variant(one, shared)));
        const count = new Set(x.map((one) => variant(one, shared)).filter((one) => known.has(one))).size;
        const isUsual = rank(usual.quality, quality) < usual.quality.length && rank(usual.speed, speed) < usual.speed.length;
        if (count && (!best.count || (isUsual && count > best.count))) best = { quality, speed, count };
      }
    }
    return best;
  };
  // A title without its settings, for the head of a table: the choice above has them.
  const short = (title) => title.split(", ")[0];
  const name = (one) => [one.place.model, site.words.setting(one.place, "precision")].filter(Boolean).join(", ");

  site.views.frontier = {
    title: "Frontier",
    make: (root) => {
      const { series } = site.index;
      const machines = site.filters.distinct(speeds(series).map(home));
      const axes = { quality: choices(qualities(series)), speed: choices(speeds(series)), memory: choices(memories(series)) };
      if (!axes.quality.length || !axes.speed.length) {
        root.append(site.heading("Frontier"), site.empty("The frontier takes runs that measured both quality and speed; this history has none."));
        return () => {};
      }
      const usual = {
        ...usualPair(series, axes),
        memory: preferred(axes.memory, ["peak_memory", "weight_bytes"]),
      };
      const bar = site.filters.bar([
        { name: "of", label: "Suite and machine", options: machines, any: null },
        { name: "quality", label: "Quality", options: axes.quality, any: usual.quality },
        { name: "speed", label: "Speed", options: axes.speed, any: usual.speed },
        { name: "memory", label: "Memory (size)", options: [["none", "none"], ...axes.memory], any: usual.memory || "none" },
        { name: "model", label: "Model", options: site.filters.distinct(series.map((one) => one.place.model)) },
      ]);
      const results = site.el("div");
      root.append(site.heading("Frontier by commit"), bar.box, results);
      let state = null;
      return async (params, isCurrent) => {
        bar.update(params);
        const of = params.get("of") || machines[0];
        const chosen = Object.fromEntries(Object.keys(axes).map((axis) => [axis, params.get(axis) || usual[axis]]));
        const asked = JSON.stringify([of, chosen, params.get("model")]);
        if (state?.asked !== asked) {
          const some = series.filter((one) => (home(one) === of || (one.machine === null && of.startsWith(`${one.suite} on `))) && site.filters.matches(params, "model", one.place.model));
          const found = await commits(some, chosen);
          if (!isCurrent()) return;
          state = { asked, found };
          show(results, state, chosen, of);
        }
        state.select?.(params.get("run"));
      };
    },
  };

  // For each run with quality and speed its points. Of two series that are alike but for what the chosen axis leaves out, the last one counts.
  const commits = async (series, chosen) => {
    const of = (some, axis) => some.filter((one) => title(one) === chosen[axis]);
    const shared = sharedBy([...of(qualities(series), "quality"), ...of(speeds(series), "speed")]);
    const read = async (some, axis) => {
      const values = new Map();
      for (const one of of(some, axis)) {
        for (const point of (await site.data.points(one)).points) {
          if (point.value === null || (axis === "speed" && point.value <= 0)) continue;
          values.set(`${point.run.commit ?? point.run.id} ${point.run.dirty} ${variant(one, shared)}`, { ...point, series: one });
        }
      }
      return values;
    };
    const [quality, speed, memory] = await Promise.all([
      read(qualities(series), "quality"), read(speeds(series), "speed"), chosen.memory === "none" ? new Map() : read(memories(series), "memory"),
    ]);
    const byRun = new Map();
    for (const [place, x] of speed) { // the median of a commit's runs, under its last one
      const y = quality.get(place);
      if (!y) continue;
      const point = { run: x.run, name: name(x.series), x, y, size: memory.get(place) ?? null };
      if (!byRun.has(x.run.number)) byRun.set(x.run.number, []);
      byRun.get(x.run.number).push(point);
    }
    return [...byRun.entries()].sort(([a], [b]) => a - b).map(([number, points]) => ({ run: site.index.runs[number], points: front(points) }));
  };

  // Mark what no other point of the commit beats: at least as good in all, better in one.
  const front = (points) => {
    const sign = (point) => (point.series.metric.direction === "higher" ? 1 : -1) * point.value;
    const goods = (point) => [sign(point.x), sign(point.y), ...(point.size ? [-point.size.value] : [])];
    const beats = (a, b) => {
      const [x, y] = [goods(a), goods(b)];
      return x.length === y.length && x.every((good, place) => good >= y[place]) && x.some((good, place) => good > y[place]);
    };
    const flat = (point) => ({ ...point, size: null });
    return points.map((point) => ({
      ...point,
      onFront: !points.some((other) => beats(other, point)),
      onLine: !points.some((other) => beats(flat(other), flat(point))),
    }));
  };

  const show = (results, state, chosen, of) => {
    const { found } = state;
    if (!found.length) {
      state.select = null;
      results.replaceChildren(site.empty(`No run of ${of} has both ${chosen.quality} and ${chosen.speed} of one model and precision.`));
      return;
    }
    const label = site.el("output", { class: "commit" });
    const range = site.el("input", {
      type: "range", min: 0, max: found.length - 1, step: 1, id: "commit-range",
      oninput: (event) => site.address.change({ run: found[event.target.value].run.id }, { replace: true }),
    });
    const table = site.el("div");
    const scatter = site.scatter(found, { x: chosen.speed, y: chosen.quality, size: chosen.memory });
    state.select = (id) => {
      const place = Math.max(0, found.findIndex(({ run }) => run.id === id));
      const at = id && found[place].run.id === id ? place : found.length - 1;
      const { run, points } = found[at];
      range.value = at;
      range.setAttribute("aria-valuetext", `commit ${(run.commit ?? "unknown").slice(0, 10)}, ${site.dates.day(run.time)}`);
      label.replaceChildren(site.links.commit(run.commit), ` ${site.dates.minute(run.time)} `, site.links.run(run), run.subject ? ` ${run.subject}` : "", run.dirty ? " with uncommitted changes" : "");
      scatter.select(at);
      table.replaceChildren(site.table({
        label: "Points of this commit", rows: [...points].sort((a, b) => b.onFront - a.onFront || b.x.value - a.x.value),
        columns: [
          { label: "model, precision", first: true, cell: (point) => point.name },
          { label: short(chosen.quality), number: true, cell: ({ y }) => site.valueCell(y.value, y.low, y.high, y.unit) },
          { label: short(chosen.speed), number: true, cell: ({ x }) => site.valueCell(x.value, x.low, x.high, x.unit) },
          chosen.memory === "none" ? null : { label: short(chosen.memory), number: true, cell: ({ size }) => (size ? site.valueCell(size.value, size.low, size.high, size.unit) : "–") },
          { label: "on the front", cell: ({ onFront }) => (onFront ? "yes" : "no") },
        ].filter(Boolean),
      }));
    };
    results.replaceChildren(
      site.el("div", { class: "slider" }, site.el("label", { for: "commit-range" }, "Commit"), range, label),
      scatter.frame,
      site.el("p", { class: "soft" }, `Up and to the right is better${chosen.memory === "none" ? "" : "; a larger point takes more memory"}. The line joins what no other point of this commit beats in quality and speed${chosen.memory === "none" ? "" : "; a ring: beaten by none once memory counts too"}. Fainter points are earlier commits. Speeds here are absolute, so what else the machine did moves them between commits: `, site.link("trends", "trends"), " says what changed."),
      site.el("section", {}, site.el("h2", {}, "Points of this commit"), table));
  };
}
