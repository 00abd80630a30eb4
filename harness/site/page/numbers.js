"use strict";
// How a number looks: as the reports write it (harness/number.py), in a readable unit and with the digits that its
// interval supports.

{
  const TIMES = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]];
  const BYTES = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]];
  const COUNTS = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];
  const IN_SECONDS = { s: 1, ms: 1e-3, "µs": 1e-6, us: 1e-6 };
  const NOTHING = "–";

  const given = (value) => value !== null && value !== undefined;

  // The factor and the unit for values that are shown together.
  const scale = (values, unit) => {
    unit = unit || "";
    const logs = values.filter((value) => given(value) && value !== 0).map((value) => Math.log(Math.abs(value)));
    const middle = logs.length ? Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length) : 1;
    if (Object.hasOwn(IN_SECONDS, unit)) {
      const [seconds, label] = TIMES.find(([size]) => middle * IN_SECONDS[unit] >= size) || TIMES[2];
      return { factor: IN_SECONDS[unit] / seconds, unit: label };
    }
    if (unit === "bytes") {
      const [size, label] = BYTES.find(([bytes]) => middle >= bytes) || BYTES[4];
      return { factor: 1 / size, unit: label };
    }
    if (unit === "fraction") return { factor: 100, unit: "%" };
    if ((unit === "parameters" || unit === "tokens") && middle >= 1e9) {
      const [size, label] = COUNTS.find(([count]) => middle >= count);
      return { factor: 1 / size, unit: `${label} ${unit}` };
    }
    return { factor: 1, unit: unit === "ratio" ? "" : unit };
  };

  const magnitude = (value) => (value ? Math.floor(Math.log10(Math.abs(value))) : 0);
  const fixed = (value, decimals) =>
    value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).replace("-0", (zero) =>
      value < 0 ? zero : "0");

  // Three digits and a power of ten: `2.5e-05`.
  const powered = (value) => {
    const [digits, power] = value.toExponential(2).split("e");
    return `${Number(digits)}e${power[0]}${power.slice(1).padStart(2, "0")}`;
  };

  const plain = (value) => {
    if (!given(value)) return NOTHING;
    if (Number.isInteger(value) && Math.abs(value) < 1e15) return fixed(value, 0);
    if (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e9) return powered(value);
    return fixed(value, Math.max(0, 3 - magnitude(value)));
  };

  // Value and interval, without the unit.
  const shown = (value, low, high, { factor } = { factor: 1 }) => {
    if (!given(value)) return { value: NOTHING, interval: "" };
    const scaled = value * factor;
    if (!given(low) || !given(high) || Math.abs(high - low) <= 1e-12 * Math.max(Math.abs(low), Math.abs(high))) {
      return { value: plain(scaled), interval: "" };
    }
    const half = ((high - low) * factor) / 2;
    const decimals = Math.max(0, Math.min(1 - magnitude(half), 5 - magnitude(scaled)));
    return {
      value: fixed(scaled, decimals),
      interval: `[${fixed(low * factor, decimals)}, ${fixed(high * factor, decimals)}]`,
    };
  };

  const withUnit = (text, unit) => (unit ? `${text}${unit === "%" ? "" : " "}${unit}` : text);

  // `12.34 [12.01, 12.70] ms`
  const told = (value, low, high, unit) => {
    const chosen = scale([value], unit);
    const { value: text, interval } = shown(value, low, high, chosen);
    return given(value) ? withUnit(interval ? `${text} ${interval}` : text, chosen.unit) : text;
  };

  // A share as `+3.1 %`
  const percent = (share) => {
    if (!given(share)) return NOTHING;
    const value = 100 * share;
    const text = Math.abs(value) >= 100 ? fixed(value, 0) : Number(value.toPrecision(3)).toString();
    return `${value > 0 ? "+" : ""}${text} %`;
  };

  const change = ([value, low, high]) =>
    given(low) && given(high) && low !== high
      ? `${percent(value)} [${percent(low).slice(0, -2)}, ${percent(high).slice(0, -2)}]`
      : percent(value);

  // Round values for an axis, some five.
  const ticks = (low, high, most = 5) => {
    const raw = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].find((one) => one * power >= 0.7 * raw) * power;
    const found = [];
    for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-9; value += step) found.push(value);
    return { values: found, decimals: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
  };

  site.numbers = { scale, shown, plain, told, percent, change, ticks, fixed, withUnit, given };
}

site.dates = {
  day: (seconds) => (seconds === null ? "–" : new Date(seconds * 1000).toISOString().slice(0, 10)),
  minute: (seconds) => (seconds === null ? "–" : `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")}`),
};
