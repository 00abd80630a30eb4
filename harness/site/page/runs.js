"use strict";
// Runs: the table of all, the newest first.

{
  const { distinct, matches, found, seriesMatches } = site.filters;

  site.verdictOf = (run) => run.verdicts.at(-1) ?? null;

  const columns = () => [
    { name: "run", label: "run", first: true, cell: (run) => site.links.run(run), order: (run) => run.name },
    { name: "verdict", label: "verdict", order: (run) => site.verdictOf(run)?.verdict, cell: (run) => { const one = site.verdictOf(run); return one ? site.links.verdict(one, site.badge(one.verdict)) : "–"; } },
    { name: "status", label: "status", order: (run) => run.status, cell: (run) => [site.badge(run.status), run.not_ok ? site.el("small", {}, `${run.not_ok} of ${run.rows}`) : null] },
    { name: "suite", label: "suite", cell: (run) => run.suite, order: (run) => run.suite },
    { name: "commit", label: "commit", cell: (run) => [site.links.commit(run.commit), run.dirty ? site.el("small", { class: "doubt" }, "with changes") : null, run.subject ? site.el("small", { class: "subject" }, run.subject) : null], order: (run) => run.number },
    { name: "branch", label: "branch", cell: (run) => [run.branch ?? "–", run.apart ? site.el("small", {}, run.apart) : null], order: (run) => run.branch },
    { name: "time", label: "time (UTC)", firstDown: true, cell: (run) => site.dates.minute(run.time), order: (run) => run.time },
    { name: "machine", label: "machine", cell: (run) => site.el("code", {}, run.machine.slice(0, 8)), order: (run) => run.machine },
  ];

  site.views.runs = {
    title: "Runs",
    make: (root) => {
      const { runs, series, verdicts } = site.index;
      const bar = site.filters.bar([
        { name: "suite", label: "Suite", options: distinct(runs.map((run) => run.suite)) },
        { name: "branch", label: "Branch", options: distinct(runs.map((run) => run.branch)) },
        ...site.filters.ofSeries(series).filter(({ name }) => name !== "suite"),
        { name: "status", label: "Status", options: distinct(runs.map((run) => run.status)) },
        { name: "verdict", label: "Verdict", options: distinct(verdicts.map((one) => one.verdict)) },
        { name: "text", label: "Text" },
      ]);
      const results = site.el("div");
      root.append(site.heading("Runs"), bar.box, results);
      return (params) => {
        bar.update(params);
        const ofSeries = new URLSearchParams(["model", "measure", "metric", "precision"].filter((name) => params.get(name)).map((name) => [name, params.get(name)]));
        const wanted = ofSeries.size ? new Set(series.filter((one) => seriesMatches(ofSeries, one)).map((one) => one.number)) : null;
        const shown = runs.filter((run) =>
          matches(params, "suite", run.suite) && matches(params, "branch", run.branch) && matches(params, "machine", run.machine) &&
          matches(params, "status", run.status) && (!params.get("verdict") || run.verdicts.some((one) => one.verdict === params.get("verdict"))) &&
          (!wanted || run.series.some((number) => wanted.has(number))) &&
          found(params.get("text"), [run.name, run.id, run.commit, run.subject, run.branch, run.suite, run.machine]));
        results.replaceChildren(
          site.el("p", { class: "soft", role: "status" }, `${shown.length.toLocaleString("en-US")} of ${runs.length.toLocaleString("en-US")} runs`),
          site.table({
            label: "Runs", columns: columns(), rows: [...shown].reverse(), sort: params.get("sort") ?? "",
            empty: runs.length ? "No run matches these filters." : "There are no runs in this history.",
          }));
      };
    },
  };
}
