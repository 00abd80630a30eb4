"use strict";
// A row of filters: choices and a field for text, all of them kept in the address.

{
  // fields: `{name, label, options}` of a choice (options: texts, or pairs of value and text), or `{name, label}` of a
  // text. `any`: what stands for no choice; null: the first option does. open: also on a phone.
  const bar = (fields, { open = false } = {}) => {
    const controls = new Map();
    const firsts = new Map(fields.filter(({ any, options }) => any === null && options.length).map(({ name, options }) => [name, options[0]]));
    const form = site.el("form", { class: "filters", role: "search", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() });
    for (const field of fields) {
      const control = field.options ? choice(field) : text(field);
      controls.set(field.name, control);
      form.append(site.el("label", {}, site.el("span", {}, field.label), control));
    }
    const names = fields.map((field) => field.name);
    const clear = site.el("button", {
      type: "button", class: "quiet",
      onclick: () => site.address.change(Object.fromEntries(names.map((name) => [name, ""]))),
    }, "Clear");
    form.append(clear);
    const update = (params) => {
      for (const [name, control] of controls) {
        const value = params.get(name) ?? firsts.get(name) ?? "";
        if (control.value === value) continue;
        if (control.tagName === "SELECT" && ![...control.options].some((one) => one.value === value)) {
          control.append(site.el("option", { value }, `${value} (not here)`));
        }
        control.value = value;
      }
      const used = names.filter((name) => params.get(name)).length;
      clear.hidden = !used;
      form.dispatchEvent(new CustomEvent("used", { detail: used }));
    };
    return { form, box: folded(form, open), update };
  };

  // On a phone the filters fold away behind a line that says how many are in use.
  const folded = (form, open) => {
    const wide = matchMedia("(min-width: 641px)");
    const summary = site.el("summary", {}, "Filters");
    const box = site.el("details", { class: "filter-box", open: open || wide.matches }, summary, form);
    wide.addEventListener("change", () => { box.open = wide.matches || box.open; });
    form.addEventListener("used", ({ detail }) => { summary.textContent = detail ? `Filters, ${detail} in use` : "Filters"; });
    return box;
  };

  const choice = ({ name, options, any = "any" }) => {
    const pairs = options.map((one) => (Array.isArray(one) ? one : [one, one]));
    return site.el("select", { name, onchange: (event) => site.address.change({ [name]: event.target.value }) },
      any === null ? null : site.el("option", { value: "" }, any),
      pairs.map(([value, label]) => site.el("option", { value }, label.length > 60 ? `${label.slice(0, 58)}…` : label)));
  };

  const text = ({ name }) => site.el("input", {
    type: "search", name, autocomplete: "off", spellcheck: "false",
    oninput: (event) => site.address.change({ [name]: event.target.value }, { replace: true }),
  });

  // The distinct values of something, sorted, for a choice; none where there is nothing to choose.
  const distinct = (values) => [...new Set(values)].filter((value) => value !== null && value !== "").sort();

  // Fields that choose among series.
  const ofSeries = (series) => [
    { name: "suite", label: "Suite", options: distinct(series.map((one) => one.suite)) },
    { name: "machine", label: "Machine", options: distinct(series.map((one) => one.machine)) },
    { name: "model", label: "Model", options: distinct(series.map((one) => one.place.model)) },
    { name: "measure", label: "Measure", options: distinct(series.map((one) => one.place.measure)) },
    { name: "metric", label: "Metric", options: distinct(series.map((one) => one.metric.name)) },
    { name: "precision", label: "Precision", options: distinct(series.map((one) => site.words.setting(one.place, "precision"))) },
  ];

  const matches = (params, name, value) => !params.get(name) || params.get(name) === value;

  const seriesMatches = (params, one) =>
    matches(params, "suite", one.suite) && (one.machine === null || matches(params, "machine", one.machine)) && matches(params, "model", one.place.model) &&
    matches(params, "measure", one.place.measure) && matches(params, "metric", one.metric.name) &&
    (!params.get("precision") || params.get("precision") === site.words.setting(one.place, "precision"));

  // Whether each word of a text is found somewhere in the others.
  const found = (words, texts) => {
    if (!words) return true;
    const all = texts.filter(Boolean).join("\n").toLowerCase();
    return words.toLowerCase().split(/\s+/).every((word) => all.includes(word));
  };

  site.filters = { bar, distinct, ofSeries, matches, seriesMatches, found };
}
