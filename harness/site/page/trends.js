"use strict";
// Trends: a small chart for every series. Charts are drawn, and their data read, when they come into view.

{
  const AT_ONCE = 60;

  const sections = [
    { title: "Speed, as a ratio to a pinned commit", about: "Both commits take turns on one machine (lockstep), so the machine drops out. Above 1 is slower than the pinned commit, whatever the metric.", of: (one) => one.isRatio },
    { title: "Quality and counts", about: "", of: (one) => !one.isRatio && !one.metric.dependsOn },
    { title: "Memory", about: "", of: (one) => !one.isRatio && one.metric.dependsOn === "memory" },
    { title: "Absolute times", about: "What else a machine did moves these too. They show the order of magnitude, and have no change points.", of: (one) => one.isTime },
  ];

  site.views.trends = {
    title: "Trends",
    make: (root) => {
      const { series } = site.index;
      const bar = site.filters.bar([
        ...site.filters.ofSeries(series),
        { name: "changed", label: "Steps", options: [["yes", "with a change point"]], any: "all series" },
        { name: "text", label: "Text" },
      ]);
      const results = site.el("div");
      root.append(site.heading("Trends"), bar.box, site.legend(), results);
      return (params) => {
        bar.update(params);
        const found = series.filter((one) =>
          site.filters.seriesMatches(params, one) && (params.get("changed") !== "yes" || one.steps) &&
          site.filters.found(params.get("text"), [one.suite, one.metric.name, one.place.measure, site.words.cell(one.place), site.words.settings(one.place)]));
        results.replaceChildren(...site.index.order.map((note) => site.el("p", { class: "soft small" }, `Order of commits: ${note}.`)), ...(found.length ? sections.map((section) => drawn(section, found)).filter(Boolean)
          : [site.empty(series.length ? "No series matches these filters." : "There are no series in this history.")]));
      };
    },
  };

  const drawn = (section, found) => {
    const some = found.filter(section.of).sort((a, b) => Number(b.steps > 0) - Number(a.steps > 0));
    if (!some.length) return null;
    const grid = site.el("div", { class: "grid" });
    const more = site.el("p", { class: "more" });
    let count = 0;
    const show = () => {
      grid.append(...some.slice(count, count + AT_ONCE).map(card));
      count += AT_ONCE;
      more.replaceChildren(...(count < some.length ? [site.el("button", { type: "button", onclick: show }, `Show ${Math.min(AT_ONCE, some.length - count)} more of ${some.length}`)] : []));
    };
    show();
    return site.el("section", {}, site.el("h2", {}, section.title, " ", site.el("small", {}, `${some.length} series`)),
      section.about ? site.el("p", { class: "soft" }, section.about) : null, grid, more);
  };

  const card = (series) => {
    const place = site.el("div", { class: "place" });
    const { distinct } = site.filters;
    const several = ["suite", "machine"].some((name) => distinct(site.index.series.map((one) => one[name])).length > 1);
    const box = site.el("article", { class: "card" },
      site.el("h3", {}, site.links.series(series, [site.words.metric(series), site.el("small", {}, series.words)])),
      several ? site.el("p", { class: "soft small" }, [series.suite, series.machine ? `, machine ${series.machine.slice(0, 8)}` : ""]) : null,
      place);
    site.marks.whenNear(place, async () => {
      try {
        const data = await site.data.points(series);
        place.replaceChildren(site.chart(series, data));
      } catch (error) {
        place.replaceChildren(site.el("p", { class: "warning" }, error.message));
      }
    });
    return box;
  };
}
