"use strict";
// Verdicts, and what each rests on.

{
  const { distinct, matches, found } = site.filters;
  const pairs = (some) => some.map(([name, value]) => `${name} ${value}`).join(", ");
  const cell = (at) => { const found = new Map(at); return ["model", "precision", "text", "task", "call", "part"].map((name) => found.get(name)).filter(Boolean).join(", ") || pairs(at); };
  const number = (value, unit) => site.numbers.told(value, null, null, unit);
  const share = (value, kind) => (value === null ? "–" : `${Number((100 * value).toPrecision(3))} ${kind === "score" ? "points" : "%"}`);
  const p = (value) => (value === null ? "–" : value < 1e-4 ? value.toExponential(1) : String(Number(value.toPrecision(2))));

  const run = (one) => (site.index.byId.has(one.run_id) ? site.links.run(site.index.byId.get(one.run_id)) : one.run);

  site.views.verdicts = {
    title: "Verdicts",
    make: (root) => {
      const { verdicts } = site.index;
      const bar = site.filters.bar([
        { name: "verdict", label: "Verdict", options: distinct(verdicts.map((one) => one.verdict)) },
        { name: "kind", label: "Command", options: distinct(verdicts.map((one) => one.kind)) },
        { name: "suite", label: "Suite", options: distinct(verdicts.map((one) => one.suite)) },
        { name: "branch", label: "Branch", options: distinct(verdicts.map((one) => one.branch)) },
        { name: "text", label: "Text" },
      ]);
      const results = site.el("div");
      root.append(site.heading("Verdicts"), bar.box, results);
      return (params) => {
        bar.update(params);
        const shown = verdicts.filter((one) => ["verdict", "kind", "suite", "branch"].every((name) => matches(params, name, one[name])) &&
          found(params.get("text"), [one.run, one.commit, one.base, one.reason, one.branch, one.suite]));
        results.replaceChildren(
          site.el("p", { class: "soft", role: "status" }, `${shown.length.toLocaleString("en-US")} of ${verdicts.length.toLocaleString("en-US")} verdicts`),
          site.table({
            label: "Verdicts", rows: [...shown].reverse(), sort: params.get("sort") ?? "",
            empty: verdicts.length ? "No verdict matches these filters." : "No verdict of gate, ci or ab is in this history.",
            columns: [
              { name: "verdict", label: "verdict", first: true, order: (one) => one.verdict, cell: (one) => site.links.verdict(one, site.badge(one.verdict)) },
              { name: "kind", label: "command", order: (one) => one.kind, cell: (one) => one.kind },
              { name: "run", label: "run", order: (one) => one.run, cell: run },
              { label: "head", cell: (one) => site.links.commit(one.commit) },
              { label: "base", cell: (one) => site.links.commit(one.base) },
              { name: "time", label: "time (UTC)", firstDown: true, order: (one) => one.time, cell: (one) => site.dates.minute(one.time) },
              { label: "reason", class: "long", cell: (one) => one.reason },
            ],
          }));
      };
    },
  };

  site.views.verdict = {
    title: "Verdict",
    make: (root) => async (params, isCurrent) => {
      const one = site.index.verdicts.find(({ id }) => id === params.get("id"));
      if (!one) {
        root.replaceChildren(site.heading("Verdict"), site.empty("This history has no such verdict."), site.link("All verdicts", "verdicts"));
        return;
      }
      const said = await site.data.evidence(one);
      if (!isCurrent()) return;
      const base = site.index.runs.find(({ name }) => name === one.base_run) ?? null;
      root.replaceChildren(
        site.el("p", { class: "soft" }, site.link("Verdicts", "verdicts"), ` / ${one.kind}`),
        site.heading(site.badge(one.verdict), ` ${one.kind} of ${one.run}`),
        site.el("p", { class: "about" }, one.reason),
        base && site.index.byId.has(one.run_id) ? site.el("p", { class: "actions" }, site.link("Compare both runs", "compare", { a: base.id, b: one.run_id })) : "",
        site.facts([
          ["head", [run(one), " ", site.links.commit(one.commit)]],
          ["base", [base ? site.links.run(base) : one.base_run ?? "", " ", site.links.commit(one.base)]],
          ["suite", one.suite], ["branch", one.branch], ["said", `${site.dates.minute(one.time)} UTC`], ["exit code", one.exit_code],
        ]),
        list("Reasons", said.reasons), said.table.length ? compared(said.table) : "", said.judged.length ? judged(said.judged) : "", said.watched.length ? watched(said.watched) : "",
        list("What changed", said.changes), list("Notes", said.notes),
        said.facts.length ? site.el("section", {}, site.el("h2", {}, "Settings and figures"), site.facts(said.facts)) : "");
    },
  };

  const list = (title, lines) => (lines.length ? site.el("section", {}, site.el("h2", {}, title), site.el("ul", {}, lines.map((line) => site.el("li", {}, line)))) : "");

  // Of an ab: what its lines in the terminal say.
  const compared = (rows) => site.el("section", {}, site.el("h2", {}, "Compared"), site.table({
    label: "Compared", rows,
    columns: [
      { label: "of", first: true, cell: ([name]) => name },
      { label: "found", class: "long", cell: ([, told]) => told },
    ],
  }));

  const judged = (rows) => site.el("section", {}, site.el("h2", {}, "Judged"), site.table({
    label: "Judged", rows,
    columns: [
      { label: "metric", first: true, cell: (row) => [row.metric ?? "cell", row.role && row.role !== "gate" ? ` (${row.role})` : "", site.el("small", {}, cell(row.at))] },
      { label: "verdict", cell: (row) => site.badge(row.verdict) },
      { label: "base", number: true, cell: (row) => number(row.base, row.unit) },
      { label: "head", number: true, cell: (row) => number(row.head, row.unit) },
      { label: "worse by", number: true, cell: (row) => worseBy(row.worse_by, row.kind) },
      { label: "margin", number: true, cell: (row) => (row.margin === 0 ? "equal" : share(row.margin, row.kind)) },
      { label: "would see", number: true, cell: (row) => share(row.smallest_seen, row.kind) },
      { label: "p", number: true, cell: (row) => p(row.p) },
      { label: "reason and evidence", class: "long", cell: (row) => [row.reason ?? "", row.details.length ? site.folded("evidence", () => site.facts([...row.details, ["cell", pairs(row.at)]])) : null] },
    ],
  }));

  const worseBy = ([value, low, high], kind) => {
    if (value === null) return "–";
    const end = (one) => site.numbers.percent(one).replace(" %", "");
    return [`${end(value)} ${kind === "score" ? "points" : "%"}`, low !== null && high !== null && low !== high ? site.el("small", {}, `[${end(low)}, ${end(high)}]`) : null];
  };

  const watched = (rows) => site.folded(`${rows.length} watched, which change no verdict; ${rows.filter((row) => row.stands_out).length} stand out`, () => site.table({
    label: "Watched", rows: [...rows].sort((a, b) => b.stands_out - a.stands_out),
    columns: [
      { label: "metric", first: true, cell: (row) => [row.metric ?? "", site.el("small", {}, cell(row.at))] },
      { label: "base", number: true, cell: (row) => number(row.base, row.unit) },
      { label: "head", number: true, cell: (row) => number(row.head, row.unit) },
      { label: "worse by", number: true, cell: (row) => site.numbers.percent(row.change) },
      { label: "p", number: true, cell: (row) => p(row.p) },
      { label: "q", number: true, cell: (row) => p(row.q) },
      { label: "note", class: "long", cell: (row) => [row.stands_out ? "stands out" : "", row.note].filter(Boolean).join("; ") },
    ],
  }));
}
