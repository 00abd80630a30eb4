"use strict";
// Elements made of plain text. Nothing of the history is ever parsed as HTML, and no address of it becomes a link.

const site = { views: {} };

{
  const SVG = "http://www.w3.org/2000/svg";

  const filled = (element, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : String(value));
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  };

  site.el = (name, attributes = {}, ...children) => filled(document.createElement(name), attributes, children);
  site.svg = (name, attributes = {}, ...children) => filled(document.createElementNS(SVG, name), attributes, children);
}

site.heading = (text, ...more) => site.el("h1", {}, text, ...more);

// A line of `name: value` pairs; values may be elements.
site.facts = (pairs) => site.el("dl", { class: "facts" }, pairs
  .filter(([, value]) => value !== null && value !== undefined && value !== "")
  .map(([name, value]) => site.el("div", {}, site.el("dt", {}, name), site.el("dd", {}, value))));

site.notes = (lines) => lines.length ? site.el("ul", { class: "notes" }, lines.map((line) => site.el("li", {}, line))) : null;

site.empty = (text) => site.el("p", { class: "empty" }, text);

// A word for a state, its color beside it: `pass` and `ok` are good, `fail` is bad.
site.badge = (word) => {
  const kinds = { pass: "good", ok: "good", fail: "bad", failed: "bad", oom: "bad", usage: "bad", skipped: "soft" };
  return site.el("span", { class: `badge ${kinds[word] || (word ? "doubt" : "soft")}` }, word || "–");
};

// `details` whose content is made when it is opened first.
site.folded = (summary, make, open = false) => {
  const details = site.el("details", { open }, site.el("summary", {}, summary));
  const fill = () => { if (details.open && details.childElementCount === 1) details.append(make()); };
  details.addEventListener("toggle", fill);
  fill();
  return details;
};
