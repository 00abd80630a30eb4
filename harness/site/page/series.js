"use strict";
// One series: its chart large, its change points and breaks in words, and its points as a table.

site.views.series = {
  title: "Series",
  make: (root) => async (params, isCurrent) => {
    const series = site.index.seriesById.get(params.get("id"));
    if (!series) {
      root.replaceChildren(site.heading("Series"), site.empty("This history has no such series."), site.link("All trends", "trends"));
      return;
    }
    const data = await site.data.points(series);
    if (!isCurrent()) return;
    const { metric, place } = series;
    root.replaceChildren(
      site.el("p", { class: "soft" }, site.link("Trends", "trends"), ` / ${place.measure || ""}`),
      site.heading(site.words.metric(series), " ", site.el("small", {}, series.words)),
      metric.definition ? site.el("p", { class: "about" }, metric.definition) : "",
      site.el("p", { class: "soft" }, [
        series.isRatio ? "time over that of the pinned commit, above 1 is slower" : [metric.unit, site.words.better(metric)].filter(Boolean).join(", "),
        series.isTime ? "; absolute times have no change points, as what else the machine did moves them too" : "",
      ]),
      site.chart(series, data, { large: true }),
      site.legend(),
      steps(series, data),
      breaks(data),
      site.folded(`Table of ${data.points.length} points`, () => points(series, data)),
      site.el("section", {}, site.el("h2", {}, "Of this series"), site.facts([
        ["suite", series.suite], ["machine class", series.machine ? site.el("code", {}, series.machine) : "any: the machine doesn't count"], ["measure", place.measure],
        ...place.settings, ["part", place.part], ["metric version", metric.version],
      ])));

    function steps(series, data) {
      if (series.isTime) return "";
      const value = (ends, step) => site.valueCell(...ends, data.points[step.at].unit);
      const commit = (place) => data.points[place].run.commit;
      return site.el("section", {}, site.el("h2", {}, "Change points"),
        data.steps.length ? "" : site.empty("None: no lasting step is told from the noise of this series."),
        data.steps.length ? site.table({
          label: "Change points",
          rows: data.steps,
          state: (step) => site.stepKind(series, step),
          columns: [
            { label: "commit", first: true, cell: (step) => [site.links.commit(commit(step.at)), site.el("small", {}, data.points[step.at].run.subject || "")] },
            { label: "change", class: "state", cell: (step) => site.numbers.change(step.change) },
            { label: "before", cell: (step) => value(step.before, step) },
            { label: "after", cell: (step) => value(step.after, step) },
            { label: "lies between (95 %)", cell: (step) => (step.earliest === step.latest ? "this commit" : [site.links.commit(commit(step.earliest)), " and ", site.links.commit(commit(step.latest))]) },
            { label: "compare", cell: (step) => site.link("before and after", "compare", { a: data.points[Math.max(0, step.earliest - 1)].run.id, b: data.points[step.latest].run.id }) },
          ],
        }) : "",
        data.steps.length ? site.el("p", { class: "soft" }, "A change point shows where to look. It is no verdict on one commit; `harness ab` decides that.") : "");
    }

    function breaks(data) {
      if (!data.breaks.length) return "";
      return site.el("section", {}, site.el("h2", {}, "Breaks"), site.el("ul", {}, data.breaks.map(([place, reason]) =>
        site.el("li", {}, "at ", site.links.commit(data.points[place].run.commit), `: ${reason}. Values before and after aren't compared.`))));
    }

    function points(series, data) {
      const { value, over } = site.pointText;
      return site.table({
        label: "Points",
        rows: [...data.points].reverse(),
        columns: [
          { label: "run", first: true, cell: (point) => site.links.run(point.run) },
          { label: "commit", cell: (point) => site.links.commit(point.run.commit) },
          { label: "time (UTC)", cell: (point) => site.dates.minute(point.run.time) },
          { label: "value", number: true, cell: (point) => value(point) },
          { label: "over", cell: over },
          { label: "notes", class: "long", cell: (point) => point.marks.join("; ") },
        ],
      });
    }
  },
};
