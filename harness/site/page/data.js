"use strict";
// The data: scripts beside the page, each read once when a view needs it. Each calls `site.take`.

{
  const waiting = new Map();
  const loaded = new Map();

  site.take = (name, data) => {
    if (name === "index") {
      site.index = readable(data);
      site.start();
    } else {
      waiting.get(name)?.(data);
      waiting.delete(name);
    }
  };

  // The content of a file of data. A file that can't be had is an error that says its name.
  const load = (file) => {
    if (!loaded.has(file)) {
      const name = file.replace(/^data\//, "").replace(/-[0-9a-f]{12}\.js$/, "");
      loaded.set(file, new Promise((resolve, reject) => {
        waiting.set(name, resolve);
        const script = site.el("script", { src: file });
        script.addEventListener("error", () => {
          loaded.delete(file);
          reject(new Error(`${file} can't be read. Write the site again with \`harness site\`, then reload this page.`));
        });
        document.head.append(script);
      }));
    }
    return loaded.get(file);
  };

  const rows = (columns) => {
    const names = Object.keys(columns);
    const count = names.length ? columns[names[0]].length : 0;
    return Array.from({ length: count }, (_, number) => {
      const row = { number };
      for (const name of names) row[name] = columns[name][number];
      return row;
    });
  };

  const METRIC = ["name", "kind", "unit", "direction", "dependsOn", "definition", "version"];
  const DEFINITION = ["cell", "version", "unit", "pinned", "modelEntry", "reads"];
  const HOW = ["confidence", "interval", "nUnit", "source"];
  const named = (names, values) => Object.fromEntries(names.map((name, place) => [name, values[place]]));

  // Series that the usual words don't tell apart also show the settings in which they differ.
  const tellApart = (series) => {
    const alike = new Map();
    for (const one of series) {
      const key = JSON.stringify([one.metric.name, one.isRatio, one.suite, one.machine, site.words.cell(one.place)]);
      alike.set(key, [...(alike.get(key) ?? []), one]);
    }
    for (const some of alike.values()) {
      const names = [...new Set(some.flatMap((one) => one.place.settings.map(([name]) => name)))]
        .filter((name) => new Set(some.map((one) => site.words.setting(one.place, name))).size > 1);
      some.forEach((one, place) => {
        const told = names.map((name) => `${name} ${site.words.setting(one.place, name) ?? "–"}`).join(", ");
        one.words = [site.words.cell(one.place), told, some.length > 1 && !names.length ? `definition ${place + 1} of ${some.length}` : ""].filter(Boolean).join(", ");
      });
    }
  };

  // The index with names in the place of numbers.
  const readable = (index) => {
    const metrics = index.metrics.map((values) => named(METRIC, values));
    const places = index.places.map(([model, measure, settings, part]) => ({ model, measure, settings, part }));
    const runs = rows(index.runs);
    for (const run of runs) {
      run.suite = index.names[run.suite];
      run.machine = index.names[run.machine];
      run.branch = run.branch === null ? null : index.names[run.branch];
      run.series = index.sets[run.set];
      run.verdicts = [];
    }
    const series = rows(index.series);
    for (const one of series) {
      one.suite = index.names[one.suite];
      one.machine = one.machine === null ? null : index.names[one.machine];
      one.metric = metrics[one.metric];
      one.place = places[one.place];
      one.isRatio = one.metric.kind === "ratio";
      one.isTime = one.metric.dependsOn === "time" && !one.isRatio;
    }
    tellApart(series);
    const byId = new Map(runs.map((run) => [run.id, run]));
    const verdicts = rows(index.verdicts);
    for (const verdict of verdicts) byId.get(verdict.run_id)?.verdicts.push(verdict);
    return {
      ...index, metrics, places, runs, series, verdicts, byId,
      definitions: index.definitions.map((values) => named(DEFINITION, values)),
      hows: index.hows.map((values) => named(HOW, values)),
      seriesById: new Map(series.map((one) => [one.id, one])),
    };
  };

  const all = (value, count) => (Array.isArray(value) ? value : Array(count).fill(value));

  // The unit of a value: behind a break it may be another one than that of its series now.
  const unitOf = (definition) => site.index.definitions[definition].unit;

  // The points of a series, in commit order.
  const points = async (series) => {
    const file = await load(site.index.files.series[series.file]);
    const columns = file.find(([number]) => number === series.number)[1];
    const count = columns.run.length;
    const [definition, how, low, high, n, launches, runs, state] = ["definition", "how", "low", "high", "n", "launches", "runs", "state"]
      .map((name) => all(columns[name], count));
    const marks = new Map(columns.marks);
    return {
      breaks: columns.breaks,
      steps: columns.steps,
      points: columns.run.map((run, place) => ({
        place, run: site.index.runs[run], value: columns.value[place], low: low[place], high: high[place], n: n[place],
        launches: launches[place], definition: definition[place], unit: unitOf(definition[place]), how: site.index.hows[how[place]],
        runs: runs[place], isDirty: state[place] === 1, isApart: state[place] === 2, marks: marks.get(place) ?? [],
      })),
    };
  };

  // The values of a run, and what has none.
  const values = async (run) => {
    const file = await load(site.index.files.values[run.file]);
    const [, given, without] = file.find(([number]) => number === run.number);
    return {
      values: given.map(([series, definition, how, value = null, low = null, high = null, n = null, launches = null]) => ({
        series: site.index.series[series], definition, unit: unitOf(definition), how: site.index.hows[how], value, low, high, n, launches,
      })),
      without: without.map(([place, metric, status, reason]) => ({ place: site.index.places[place], metric, status, reason })),
    };
  };

  const evidence = async (verdict) => {
    const file = await load(site.index.files.verdicts[Math.floor(verdict.number / site.index.verdicts_of_a_file)]);
    return file.find(([number]) => number === verdict.number)[1];
  };

  site.data = { points, values, evidence };
}

// Settings that most readers look for first; the others follow.
site.words = {
  cell: (place) => {
    const first = ["precision", "text", "task", "call", "batch", "prompt", "generate", "context"];
    const found = new Map(place.settings);
    const shown = first.filter((name) => found.has(name)).map((name) =>
      ["precision", "text", "task", "call"].includes(name) ? found.get(name) : `${name} ${found.get(name)}`);
    return [place.model, ...shown, place.part].filter(Boolean).join(", ");
  },
  settings: (place) => place.settings.map(([name, value]) => `${name} ${value}`).join(", "),
  metric: (series) => (series.isRatio ? `${series.metric.name}, ratio` : series.metric.name),
  setting: (place, name) => place.settings.find(([one]) => one === name)?.[1] ?? null,
  better: ({ direction }) => (direction === "none" ? "" : `${direction} is better`),
};
