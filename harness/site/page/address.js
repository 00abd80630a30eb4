"use strict";
// The address says what is shown, so that a filtered view is a link: `#/trends?metric=decode_rate`.

{
  const read = () => {
    const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
    return { view: path || "runs", params: new URLSearchParams(query) };
  };

  // The address of a view. Parameters without a value are left out.
  const href = (view, params = {}) => {
    const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== ""));
    const text = query.toString();
    return text ? `#/${view}?${text}` : `#/${view}`;
  };

  // Change parameters of what is shown. `replace`: without a step for "back", as when one types.
  const change = (params, { replace = false } = {}) => {
    const now = read();
    const next = href(now.view, { ...Object.fromEntries(now.params), ...params });
    if (next === href(now.view, Object.fromEntries(now.params))) return;
    if (replace) location.replace(next);
    else location.hash = next;
  };

  site.address = { read, href, change };
}

site.link = (text, view, params, attributes = {}) => site.el("a", { href: site.address.href(view, params), ...attributes }, text);

site.links = {
  run: (run, text = run.name) => site.link(text, "run", { id: run.id }),
  series: (series, text) => site.link(text, "series", { id: series.id }),
  verdict: (verdict, text) => site.link(text, "verdict", { id: verdict.id }),
  // A commit's short hash, linked where the site knows the repository.
  commit: (commit) => {
    if (!commit) return site.el("span", { class: "soft" }, "–");
    const code = site.el("code", {}, commit.slice(0, 10));
    if (!site.index.commits || !/^[0-9a-f]{7,64}$/.test(commit)) return code;
    return site.el("a", { href: site.index.commits.replaceAll("{commit}", commit), rel: "noreferrer" }, code);
  },
};
