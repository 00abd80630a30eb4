"use strict";
// Light or dark: as the system has it, unless the switch says otherwise. It runs first, so that no page flashes.

const theme = (() => {
  const KEY = "harness-site-theme";
  const words = { "": "Colors: system", light: "Colors: light", dark: "Colors: dark" };

  const kept = () => {
    try {
      const found = localStorage.getItem(KEY) || "";
      return found in words ? found : "";
    } catch {
      return ""; // a browser that keeps nothing of files
    }
  };

  const apply = (name) => {
    if (name) document.documentElement.dataset.theme = name;
    else delete document.documentElement.dataset.theme;
  };

  const attach = (button) => {
    let name = kept();
    const show = () => { button.textContent = words[name]; };
    button.addEventListener("click", () => {
      const names = Object.keys(words);
      name = names[(names.indexOf(name) + 1) % names.length];
      try { localStorage.setItem(KEY, name); } catch { /* it holds for this page */ }
      apply(name);
      show();
    });
    show();
  };

  apply(kept());
  return { attach };
})();
