"use strict";
// Any two runs side by side: every metric that both have, and why the others can't be compared.

{
  const SHARES = ["share", "fraction", "probability"];

  // What tells a value of a run, whatever suite and machine it is of.
  const key = ({ series }) => JSON.stringify([series.metric.name, series.metric.kind, series.place]);

  // Why two values of one key can't be compared; null where they can.
  const why = (a, b) => {
    const [x, y] = [a, b].map((one) => site.index.definitions[one.definition]);
    if (a.series.machine !== b.series.machine) return "measured on another machine";
    if (x.version !== y.version) return `another version of the metric: ${x.version ?? "?"} and ${y.version ?? "?"}`;
    if (x.unit !== y.unit) return `another unit: ${x.unit ?? "none"} and ${y.unit ?? "none"}`;
    if (x.pinned !== y.pinned) return `ratios to other commits: ${(x.pinned ?? "none").slice(0, 10)} and ${(y.pinned ?? "none").slice(0, 10)}`;
    if (x.cell !== y.cell) return "another definition of what is measured";
    if (x.reads !== y.reads) return "another text or task was read";
    return null;
  };

  // The ends of a value: of one that is exact, and of which no other run could give another, the value itself.
  const ends = ({ value, low, high, how, series }) =>
    low !== null && high !== null ? [low, high] : how.interval === "exact" && series.metric.dependsOn === null ? [value, value] : null;

  // The interval of b / a from those of both, as harness.statistics.ratios has it for values that were measured
  // independently (MOVER on logs): distances to the ends, as logarithms, add in quadrature. [low, high], or null.
  const ratioEnds = (a, b) => {
    const [of, to] = [ends(b), ends(a)];
    if (!of || !to || a.how.confidence !== b.how.confidence || (of[0] === of[1] && to[0] === to[1])) return null;
    const log = (value) => (value > 0 ? Math.log(value) : -Infinity);
    const middle = Math.log(b.value / a.value);
    const below = Math.hypot(Math.log(b.value) - log(of[0]), Math.log(to[1]) - Math.log(a.value));
    const above = Math.hypot(Math.log(of[1]) - Math.log(b.value), Math.log(a.value) - log(to[0]));
    return [Math.exp(middle - below), Math.exp(middle + above)];
  };

  // `b` against `a`: a ratio, of shares a difference in points.
  const difference = (a, b) => {
    if (a.value === null || b.value === null) return { text: "–", size: null };
    if (a.value === b.value) return { text: "equal", size: 0 };
    if (SHARES.includes(a.unit) || a.value <= 0 || b.value <= 0) {
      const points = SHARES.includes(a.unit);
      const by = (b.value - a.value) * (points ? 100 : 1);
      return { text: `${by > 0 ? "+" : ""}${site.numbers.plain(by)}${points ? " points" : ""}`, size: points ? by / 100 : b.value - a.value };
    }
    const ratio = b.value / a.value;
    const digits = Math.abs(ratio - 1) < 0.01 ? 5 : 4;
    const found = ratioEnds(a, b);
    const interval = found && found.every(Number.isFinite) ? `[${found.map((end) => end.toPrecision(digits)).join(", ")}]` : "";
    return { text: `× ${ratio.toPrecision(digits)}`, interval, size: Math.log(ratio) };
  };
  site.ratioEnds = ratioEnds;

  const apart = (a, b) => [a, b].every((one) => one.low !== null && one.high !== null) && (a.high < b.low || b.high < a.low);

  const note = (a, b) => {
    const told = [];
    if (a.series.isTime) told.push("time of two stored runs: no evidence either way");
    else if (a.series.metric.dependsOn !== "time" && apart(a, b)) told.push("intervals apart");
    else if (a.series.isRatio) told.push(apart(a, b) ? "intervals apart" : "intervals overlap");
    const [x, y] = [a, b].map((one) => site.index.definitions[one.definition]);
    if (x.modelEntry !== y.modelEntry) told.push("the suite's entry of this model changed");
    if (a.how.source === "cache" || b.how.source === "cache") told.push("one is from the cache");
    return told.join("; ");
  };

  site.views.compare = {
    title: "Compare",
    make: (root) => {
      const { runs } = site.index;
      const options = [...runs].reverse().map((run) => [run.id, `${run.name} · ${(run.commit ?? "no commit").slice(0, 7)} · ${run.suite}`]);
      const bar = site.filters.bar([
        { name: "a", label: "A (before)", options, any: "choose a run" },
        { name: "b", label: "B (after)", options, any: "choose a run" },
        { name: "metric", label: "Metric", options: site.filters.distinct(site.index.series.map((one) => one.metric.name)) },
        { name: "text", label: "Text" },
      ], { open: true });
      bar.form.classList.add("wide");
      const results = site.el("div");
      root.append(site.heading("Compare two runs"), bar.box, results);
      return async (params, isCurrent) => {
        bar.update(params);
        const [a, b] = ["a", "b"].map((name) => site.index.byId.get(params.get(name)));
        if (!a || !b) {
          results.replaceChildren(site.empty(runs.length < 2 ? "Comparing takes two runs; this history has fewer." : "Choose two runs, or open a run and compare it with the one before."));
          return;
        }
        const [ofA, ofB] = await Promise.all([site.data.values(a), site.data.values(b)]);
        if (isCurrent()) results.replaceChildren(...shown(a, b, ofA, ofB, params));
      };
    },
  };

  const shown = (a, b, ofA, ofB, params) => {
    const wanted = ({ series }) => site.filters.matches(params, "metric", series.metric.name) &&
      site.filters.found(params.get("text"), [series.metric.name, series.place.measure, site.words.cell(series.place), site.words.settings(series.place)]);
    const others = new Map(ofB.values.map((one) => [key(one), one]));
    const pairs = [];
    const not = [];
    for (const one of ofA.values.filter(wanted)) {
      const other = others.get(key(one));
      others.delete(key(one));
      const reason = other ? why(one, other) : "B has no such value";
      if (reason) not.push({ one, reason, a: one, b: other });
      else pairs.push({ a: one, b: other, ...difference(one, other) });
    }
    for (const one of [...others.values()].filter(wanted)) not.push({ one, reason: "A has no such value", b: one });
    const sort = params.get("sort") ?? "";
    return [
      header(a, b),
      site.el("section", {}, site.el("h2", {}, "Both have", " ", site.el("small", {}, `${pairs.length} values`)),
        site.el("p", { class: "soft" }, "The interval of B / A is made of those of both values as if they were independent; of the same documents it is wider than a paired one, which `harness compare` gives. Runs that were made one after the other differ also by what the machine was doing, so that this table shows values and decides nothing; a verdict does."),
        site.table({
          label: "Values of both runs", rows: pairs, sort, empty: "No value of both runs can be compared.",
          columns: [
            { name: "metric", label: "metric", first: true, order: ({ a: one }) => one.series.metric.name, cell: ({ a: one }) => site.links.series(one.series, site.words.metric(one.series)) },
            { name: "cell", label: "cell", class: "long", order: ({ a: one }) => site.words.cell(one.series.place), cell: ({ a: one }) => one.series.words },
            { label: "A", number: true, cell: ({ a: one }) => site.valueCell(one.value, one.low, one.high, one.unit) },
            { label: "B", number: true, cell: ({ b: one }) => site.valueCell(one.value, one.low, one.high, one.unit) },
            { name: "change", label: "B / A", number: true, firstDown: true, order: ({ size }) => (size === null ? null : Math.abs(size)), cell: ({ text, interval }) => [text, interval ? site.el("small", {}, interval) : null] },
            { label: "better", cell: ({ a: one }) => (one.series.metric.direction === "none" ? "–" : one.series.metric.direction) },
            { label: "note", class: "long", cell: (row) => note(row.a, row.b) },
          ],
        })),
      not.length ? site.el("section", {}, site.el("h2", {}, "Not comparable", " ", site.el("small", {}, `${not.length} values`)), site.table({
        label: "Not comparable", rows: not,
        columns: [
          { label: "metric", first: true, cell: ({ one }) => site.words.metric(one.series) },
          { label: "cell", class: "long", cell: ({ one }) => one.series.words },
          { label: "why", class: "long", cell: ({ reason }) => reason },
          ...["a", "b"].map((side) => ({ label: side.toUpperCase(), number: true, cell: (row) => (row[side] ? site.valueCell(row[side].value, row[side].low, row[side].high, row[side].unit) : "–") })),
        ],
      })) : "",
      ...[["A", ofA], ["B", ofB]].map(([side, { without }]) => (without.length ? site.folded(`${without.length} without a value, or with a reason, in ${side}`, () =>
        site.el("ul", {}, without.map(({ place, metric, status, reason }) => site.el("li", {}, `${[place.measure, metric, site.words.cell(place)].filter(Boolean).join(", ")}: ${[status, reason].filter(Boolean).join(", ")}`)))) : "")),
    ];
  };

  const header = (a, b) => {
    const judged = [...a.verdicts, ...b.verdicts].filter((one) => {
      const [head, base] = one.run_id === b.id ? [b, a] : [a, b];
      return one.run_id === head.id && (one.base_run ? one.base_run === base.name : one.base !== null && one.base === base.commit);
    });
    const facts = (run) => [site.links.run(run), " ", site.links.commit(run.commit), run.dirty ? " with uncommitted changes" : "", ` ${site.dates.minute(run.time)}`];
    return site.el("div", {},
      site.facts([["A", facts(a)], ["B", facts(b)]]),
      site.el("p", { class: "actions" }, site.link("Swap A and B", "compare", { a: b.id, b: a.id })),
      a.id === b.id ? site.el("p", { class: "warning" }, "A and B are the same run.") : null,
      a.machine === b.machine ? null : site.el("p", { class: "warning" }, `Another class of machine: ${a.machine.slice(0, 12)} and ${b.machine.slice(0, 12)}. Times and memory aren't compared.`),
      judged.map((one) => site.el("p", { class: "callout" }, site.badge(one.verdict), ` ${one.kind} on this pair (of run ${one.run}): ${one.reason} `, site.links.verdict(one, "evidence"))));
  };
}
