// @ts-check
// Puts the panels of a call and its table of numbers into the page, from the data in it: a page without them is small and quickly
// written. Names are other people's text: they go into text nodes and attributes alone.
// A classic script: a report opened from disk cannot load modules.
"use strict";

(() => {
  const { quantity, count } = /** @type {any} */ (globalThis).callMetricsFormat;
  const { STATS, level, worstFirst } = /** @type {any} */ (globalThis).callMetricsSeries;
  const { badge } = /** @type {any} */ (globalThis).callMetricsCharts;
  const TITLES = ["Count", "Missing", "Mean", "Std", "Min", "p5", "p25", "p50", "p75", "p95", "Max"];
  /** Those that a threshold judges. */
  const JUDGED = ["mean", "min", "p5", "p25", "p50", "p75", "p95", "max"];

  /**
   * @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {Record<string, string>} [attributes] @param {(string | Node)[]} children
   * @returns {HTMLElementTagNameMap[T]}
   */
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  /** A statistic of one person. @param {any} line @param {string} name @returns {number | null} */
  const stat = (line, name) => line.stats[STATS.indexOf(name)];

  /** @param {any} panel */
  const thresholds = ({ unit, fair, poor, source }) => (fair === null ? "" : `fair from ${quantity(unit, fair)}, poor from ${quantity(unit, poor)} (${source})`);

  /** Who is worst off: of a bitrate the low end hurts, of everything else the high one. @param {any} panel */
  const worst = (panel) => {
    const [title, name] = panel.unit === "bit/s" ? ["lowest", "p50"] : ["worst", "p95"];
    const [line] = worstFirst(panel);
    return { title, line, value: stat(line, name) ?? 0 };
  };

  /** @param {any} page @param {any} panel @param {boolean} last of its group: it has the labels of time */
  const element = (page, panel, last) => {
    const fact = (/** @type {string} */ title, /** @type {number} */ value, /** @type {(string | Node)[]} */ ...who) => {
      const beyond = level(panel, value);
      return make("div", {}, make("dt", {}, title, ...who), make("dd", beyond ? { class: beyond } : {}, quantity(panel.unit, value)));
    };
    const facts = make("dl", {}, fact("median", panel.p50), fact("p95", panel.p95));
    if (panel.lines.length > 1) {
      const { title, line, value } = worst(panel);
      facts.append(fact(title, value, " ", badge(page.people[line.p])));
    }
    const text = make("div", { class: "panel-text" }, make("h3", { title: panel.id }, panel.title), make("p", {}, panel.about), facts);
    const measured = page.people.filter((/** @type {any} */ person) => person.n > 0).length;
    if (measured > panel.lines.length) text.append(make("p", { class: "panel-missing" }, `not reported by ${measured - panel.lines.length}`));
    const tools = make("div", { class: "panel-tools", role: "group", "aria-label": `${panel.title} as` });
    for (const [what, word] of [["table", "Table"], ["csv", "CSV"], ["png", "PNG"]]) tools.append(make("button", { type: "button", "data-do": what, ...(what === "table" && { "aria-expanded": "false" }) }, word));
    text.append(tools);
    const n = panel.lines.length;
    const largest = Math.max(...panel.lines.map((/** @type {any} */ line) => stat(line, "max")));
    const said = [
      `${panel.title} of ${n} ${n === 1 ? "person" : "people"} over the call: median ${quantity(panel.unit, panel.p50)}, 95th percentile ${quantity(panel.unit, panel.p95)}, largest ${quantity(panel.unit, largest)}.`,
      ...(panel.fair === null ? [] : [`Shaded: ${thresholds(panel)}.`]),
    ].join(" ");
    return make("div", { class: last ? "panel panel-last" : "panel", "data-panel": panel.id }, text,
      make("div", { class: "chart chart-time", tabindex: "0", role: "img", "aria-label": said, "aria-describedby": "keys" }),
      make("div", { class: "spread" }, make("h4", {}, "Share of readings"),
        make("div", { class: "chart chart-spread", role: "img", "aria-label": `Share of each person's readings at each value of ${panel.title}. The numbers are in the table below.` })));
  };

  /** The panels, group by group, and an empty table of numbers. @param {any} page */
  const start = (page) => {
    const end = document.querySelector("#timeline > .pointer");
    page.panels.forEach((/** @type {any} */ panel, /** @type {number} */ nth) => {
      if (panel.group !== page.panels[nth - 1]?.group) {
        const shaded = page.panels.some((/** @type {any} */ one) => one.group === panel.group && one.fair !== null);
        const note = make("p", {}, shaded ? "Shaded: fair and poor" : "No threshold: it depends on what is shown");
        if (nth === 0) note.append(make("span", { class: "only-mouse" }, " · drag to zoom, Ctrl and the wheel too"));
        end?.before(make("div", { class: "group-head" }, make("h2", {}, panel.group), note));
      }
      end?.before(element(page, panel, panel.group !== page.panels[nth + 1]?.group));
    });
    const titles = make("tr", {}, make("th", { scope: "col" }, "Person"), ...TITLES.map((title) => make("th", { scope: "col", class: "n" }, title)));
    document.getElementById("numbers")?.replaceChildren(make("table", { class: "numbers" }, make("thead", {}, titles)));
  };

  /** The next metric's rows in the table of numbers. @param {any} page @returns {boolean} whether there was one left */
  const nextNumbers = (page) => {
    const table = document.querySelector("#numbers table");
    const panel = table && page.panels[table.querySelectorAll("tbody").length];
    if (!panel) return false;
    const title = make("th", { scope: "rowgroup", colspan: String(TITLES.length + 1) }, panel.title);
    if (panel.fair !== null) title.append(" ", make("small", {}, thresholds(panel)));
    const cell = (/** @type {string} */ name, /** @type {number | null} */ value) => {
      if (name === "count" || name === "missing") return make("td", {}, value ? count(value) : "–");
      if (value === null) return make("td", {}, "–");
      const beyond = JUDGED.includes(name) ? level(panel, value) : "";
      return make("td", beyond ? { class: beyond } : {}, quantity(panel.unit, value));
    };
    table.append(make("tbody", {}, make("tr", { class: "metric" }, title), ...panel.lines.map((/** @type {any} */ line) => {
      const person = page.people[line.p];
      const who = make("span", { class: "who-short" }, badge(person), make("bdi", {}, person.label || "(no name)"));
      return make("tr", { "data-p": String(person.number) }, make("th", { scope: "row" }, who), ...STATS.map((/** @type {string} */ name, /** @type {number} */ nth) => cell(name, line.stats[nth])));
    })));
    return true;
  };

  /** What happened later on, as rows of its list. @param {any} page @param {Element} details */
  const fillMore = (page, details) => {
    const list = details.querySelector("ol");
    const source = document.getElementById("more-moments")?.textContent;
    if (!list || !source || list.firstChild) return;
    list.append(...JSON.parse(source).map((/** @type {any} */ { p, from, to, severity, title, value, lasted, panel }) => {
      const person = page.people[p - 1];
      const word = severity === null ? make("span", { class: "quiet" }, "Event") : make("span", { class: `verdict verdict-${severity}` }, severity[0].toUpperCase() + severity.slice(1));
      // The same sign as above, where there is one.
      const icon = document.querySelector(`.issues .icon-${severity}`)?.cloneNode(true);
      if (icon) word.prepend(icon);
      const text = make("span", { class: "moment-text" }, badge(person), " ", make("b", {}, title), `${value ? ` ${value},` : ""}${lasted ? ` for ${lasted}` : ""} `, make("bdi", { class: "quiet" }, person.label));
      const show = make("button", { class: "button", type: "button", "data-jump": `${from} ${to}`, "data-of": String(p), "data-in": panel }, "Show", make("span", { class: "visually-hidden" }, ` ${title} of ${p}`));
      return make("li", { "data-p": String(p) }, make("time", { "data-at": String(from) }), word, text, show);
    }));
  };

  Object.assign(globalThis, { callMetricsPanels: { start, nextNumbers, fillMore } });
})();
