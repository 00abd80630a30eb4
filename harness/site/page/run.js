"use strict";
// One run: what it measured, its verdicts, and the runs that it may be compared with.

site.views.run = {
  title: "Run",
  make: (root) => async (params, isCurrent) => {
    const run = site.index.byId.get(params.get("id"));
    if (!run) {
      root.replaceChildren(site.heading("Run"), site.empty("This history has no such run."), site.link("All runs", "runs"));
      return;
    }
    const { values, without } = await site.data.values(run);
    if (!isCurrent()) return;
    const alike = site.index.runs.filter((one) => one.suite === run.suite && one.machine === run.machine);
    const place = alike.indexOf(run);
    const [before, after] = [alike[place - 1], alike[place + 1]];
    root.replaceChildren(
      site.el("p", { class: "soft" }, site.link("Runs", "runs"), ` / ${run.suite}`),
      site.heading(run.name),
      site.el("p", { class: "actions" },
        before ? site.link("Compare with the run before", "compare", { a: before.id, b: run.id }) : null,
        after ? site.link("Compare with the run after", "compare", { a: run.id, b: after.id }) : null,
        site.link("Compare with another", "compare", { b: run.id })),
      site.facts([
        ["commit", [site.links.commit(run.commit), run.subject ? ` ${run.subject}` : "", run.dirty ? " with uncommitted changes" : ""]],
        ["branch", [run.branch ?? "–", run.apart ? ` (${run.apart})` : ""]], ["suite", run.suite], ["measured", `${site.dates.minute(run.time)} UTC`],
        ["machine class", site.el("code", {}, run.machine)], ["status", site.badge(run.status)],
      ]),
      run.verdicts.length ? site.el("section", {}, site.el("h2", {}, "Verdicts"), site.el("ul", { class: "plain" }, run.verdicts.map((one) =>
        site.el("li", {}, site.links.verdict(one, [site.badge(one.verdict), ` ${one.kind}`]), ` ${one.reason}`)))) : "",
      site.el("section", {}, site.el("h2", {}, "Values"), site.table({
        label: "Values", rows: values, empty: "This run has no values.",
        columns: [
          { label: "metric", first: true, cell: ({ series }) => site.links.series(series, site.words.metric(series)) },
          { label: "cell", class: "long", cell: ({ series }) => series.words },
          { label: "value", number: true, cell: (one) => site.valueCell(one.value, one.low, one.high, one.unit) },
          { label: "over", cell: (one) => site.pointText.over(one) },
          { label: "interval", class: "long", cell: ({ how, low }) => (low === null ? "–" : [how.confidence ? `${Math.round(100 * how.confidence)} %` : "", how.interval].filter(Boolean).join(", ")) },
        ],
      })),
      without.length ? site.el("section", {}, site.el("h2", {}, "Without a value, or with a reason"), site.table({
        label: "Without a value", rows: without, state: ({ status }) => (status === "ok" ? "" : status === "skipped" ? "skipped" : "failed"),
        columns: [
          { label: "cell", first: true, cell: ({ place, metric }) => [place.measure, metric, site.words.cell(place)].filter(Boolean).join(", ") },
          { label: "status", cell: ({ status }) => site.badge(status) },
          { label: "reason", class: "long", cell: ({ reason }) => reason ?? "–" },
        ],
      })) : "");
  },
};
