"use strict";
// Show the view that the address names, and again whenever it changes.

{
  const TABS = ["runs", "trends", "compare", "frontier", "verdicts"];
  const PARENTS = { run: "runs", series: "trends", verdict: "verdicts" };
  let now = null;
  let update = null;
  let id = null;

  const show = async () => {
    const { view, params } = site.address.read();
    const known = Object.hasOwn(site.views, view) ? view : "runs";
    const main = document.getElementById("main");
    const isNew = now !== known;
    if (isNew) {
      main.replaceChildren();
      update = site.views[known].make(main);
      now = known;
    }
    for (const tab of document.querySelectorAll("#views a")) {
      tab.toggleAttribute("aria-current", false);
      if (tab.dataset.view === (PARENTS[known] ?? known)) tab.setAttribute("aria-current", "page");
    }
    document.title = `${site.views[known].title} – ${site.index.title}`;
    const hash = location.hash;
    const isCurrent = () => location.hash === hash;
    if (isNew || params.get("id") !== id) scrollTo(0, 0);
    id = params.get("id");
    try {
      await update(params, isCurrent);
    } catch (error) {
      if (!isCurrent()) return;
      main.replaceChildren(site.heading(site.views[known].title), site.el("p", { class: "warning", role: "alert" }, error.message));
      now = null; // made anew when one comes back
    }
    if (isCurrent()) main.dataset.shown = hash;
  };

  const problems = () => [...site.index.damage, ...site.index.notes];

  site.start = () => {
    document.getElementById("title").append(site.el("a", { href: "#/runs" }, site.index.title));
    document.getElementById("views").append(...TABS.map((view) => site.el("a", { href: `#/${view}`, "data-view": view }, site.views[view].title)));
    theme.attach(document.getElementById("theme"));
    if (problems().length) {
      document.querySelector("header").after(site.el("aside", { class: "warning", role: "note" },
        site.folded(`${problems().length} ${problems().length === 1 ? "file" : "files"} of the history could not be read`,
          () => site.el("ul", {}, problems().map((one) => site.el("li", {}, one))), problems().length < 4)));
    }
    const { runs, series, verdicts } = site.index;
    document.getElementById("about").append(
      `${runs.length.toLocaleString("en-US")} runs, ${series.length.toLocaleString("en-US")} series and ${verdicts.length.toLocaleString("en-US")} verdicts. `,
      "Brackets hold intervals of one value. Written by harness site.");
    addEventListener("hashchange", () => { show().then(() => { if (!document.activeElement || document.activeElement === document.body) document.getElementById("main").focus({ preventScroll: true }); }); });
    document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); document.getElementById("main").focus(); });
    show();
  };
}
