"use strict";
// Tables: sorted by a column that the address names, drawn some rows at a time, folded into blocks on a phone.

{
  const AT_ONCE = 100;

  // columns: `{name, label, cell(row), order(row)?, number?, first?}`; order makes a column sortable.
  // `sort`: the address's, `name` or `-name`; null where the table has no place in the address.
  const table = ({ label, columns, rows, sort = null, state = () => "", empty = "Nothing matches." }) => {
    if (!rows.length) return site.empty(empty);
    const ordered = sort === null ? rows : sorted(rows, columns, sort);
    const body = site.el("tbody");
    const more = site.el("p", { class: "more" });
    let drawn = 0;
    const draw = (count) => {
      const next = ordered.slice(drawn, drawn + count);
      body.append(...next.map((row) => site.el("tr", { class: state(row) }, columns.map((column) => cell(column, row)))));
      drawn += next.length;
      const left = ordered.length - drawn;
      more.replaceChildren();
      if (left) {
        more.append(
          `${drawn.toLocaleString("en-US")} of ${ordered.length.toLocaleString("en-US")}. `,
          site.el("button", { type: "button", onclick: () => draw(5 * AT_ONCE) }, `Show ${Math.min(left, 5 * AT_ONCE)} more`));
      }
    };
    draw(AT_ONCE);
    const head = site.el("thead", {}, site.el("tr", {}, columns.map((column) => heading(column, sort))));
    return site.el("div", {},
      site.el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, site.el("table", { class: "folds" }, head, body)),
      more);
  };

  const cell = (column, row) => site.el(column.first ? "th" : "td",
    { class: column.number ? "number" : column.class, "data-label": column.label, scope: column.first ? "row" : null }, column.cell(row));

  const heading = (column, sort) => {
    const attributes = { scope: "col", class: column.number ? "number" : null };
    if (sort === null || !column.order) return site.el("th", attributes, column.label);
    const now = sort === column.name ? "ascending" : sort === `-${column.name}` ? "descending" : null;
    const next = now === "descending" ? column.name : now === "ascending" ? `-${column.name}` : column.firstDown ? `-${column.name}` : column.name;
    return site.el("th", { ...attributes, "aria-sort": now },
      site.el("button", { type: "button", class: "sort", "data-sort": column.name, onclick: () => site.address.change({ sort: next }) },
        column.label, site.el("span", { "aria-hidden": "true" }, now === "ascending" ? " ▲" : now === "descending" ? " ▼" : "")));
  };

  const sorted = (rows, columns, sort) => {
    const column = columns.find((one) => one.name === sort.replace(/^-/, ""));
    if (!column?.order) return rows;
    const sign = sort.startsWith("-") ? -1 : 1;
    const keys = new Map(rows.map((row) => [row, column.order(row)]));
    return [...rows].sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (x === y) return 0;
      if (x === null || x === undefined) return 1; // what is missing comes last, whichever way
      if (y === null || y === undefined) return -1;
      return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x) < String(y) ? -1 : 1);
    });
  };

  site.table = table;
}

// A value with its interval below it.
site.valueCell = (value, low, high, unit) => {
  const scale = site.numbers.scale([value], unit);
  const shown = site.numbers.shown(value, low, high, scale);
  return [site.numbers.given(value) ? site.numbers.withUnit(shown.value, scale.unit) : shown.value,
    shown.interval ? site.el("small", {}, shown.interval) : null];
};
