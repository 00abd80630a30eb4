"use strict";
// What the charts share: a scale, paths of many marks at once, a box that tells of one point, and drawing anew when the
// width changes.

site.marks = {
  // From values to pixels; `log` by factors.
  scale: (low, high, from, to, log = false) => {
    const at = log ? Math.log : (value) => value;
    const [a, b] = [at(low), at(high)];
    return (value) => from + ((at(value) - a) / (b - a || 1)) * (to - from);
  },

  circles: (centers, r) => centers.map(([x, y]) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`).join(""),
  diamonds: (centers, r) => centers.map(([x, y]) => `M${x - r} ${y}l${r} ${-r}l${r} ${r}l${-r} ${r}z`).join(""),
  crosses: (centers, r) => centers.map(([x, y]) => `M${x - r} ${y - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`).join(""),

  // A box beside a point, within the chart's frame.
  tip: (frame) => {
    const box = site.el("div", { class: "tip", hidden: true });
    frame.append(box);
    return {
      box,
      show: (x, y, content) => {
        box.replaceChildren(...content);
        box.hidden = false;
        const room = frame.clientWidth - box.offsetWidth;
        box.style.left = `${Math.max(0, Math.min(room, x - box.offsetWidth / 2))}px`;
        const above = y - box.offsetHeight - 12;
        box.style.top = `${above < 0 ? y + 14 : above}px`;
      },
      hide: () => { box.hidden = true; },
    };
  },

  // Call `draw(width)` now and whenever the frame becomes wider or narrower.
  fitted: (frame, draw) => {
    let width = 0;
    new ResizeObserver(() => {
      const now = Math.round(frame.clientWidth);
      if (now && now !== width) draw((width = now));
    }).observe(frame);
  },

  // Call `draw` when the element comes near what is seen.
  whenNear: (element, draw) => {
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      draw();
    }, { rootMargin: "300px" });
    watch.observe(element);
    addEventListener("beforeprint", () => { if (element.isConnected) { watch.disconnect(); draw(); } }, { once: true });
  },
};
