// @ts-check
// The pointer of a call's page: one line through lanes and panels, one tooltip, in the panel that is pointed at. Built as
// elements, never as markup: names are other people's text. A classic script: a report opened from disk cannot load modules.
"use strict";

(() => {
  const { quantity, elapsed } = /** @type {any} */ (globalThis).callMetricsFormat;
  const series = /** @type {any} */ (globalThis).callMetricsSeries;
  const charts = /** @type {any} */ (globalThis).callMetricsCharts;
  /** Rows of a tooltip; of more people the largest, the rest are counted. */
  const ROWS = 8;
  /** Between the pointer and its tooltip, so that it never covers the point. */
  const ASIDE = 16;

  /** @param {string} name */
  const part = (name) => /** @type {HTMLElement | null} */ (document.querySelector(`#timeline > .${name}`));

  /** The words under a tooltip's head. @param {any} panel @param {{person: any, text: string, level?: string}[]} rows */
  const table = (panel, rows) => rows.map(({ person, text, level }) => {
    const row = document.createElement("div");
    row.className = "tip-row";
    const name = document.createElement("bdi");
    name.textContent = person.label || "(no name)";
    const value = document.createElement("b");
    value.textContent = text;
    if (level) value.className = `ink-${level}`;
    row.append(charts.badge(person), name, value);
    return row;
  });

  /** @param {HTMLElement} tip @param {string} head @param {string} note @param {HTMLElement[]} rows @param {string} foot */
  const fill = (tip, head, note, rows, foot) => {
    const title = document.createElement("p");
    const strong = document.createElement("b");
    strong.textContent = head;
    title.append(strong, ` ${note}`);
    const more = document.createElement("p");
    more.textContent = foot;
    tip.replaceChildren(title, ...rows, ...(foot ? [more] : []));
  };

  /** Beside the pointer, on the side with more room, inside the window. @param {HTMLElement} tip @param {number} x @param {number} y of the window */
  const place = (tip, x, y) => {
    const home = /** @type {HTMLElement} */ (document.getElementById("timeline")).getBoundingClientRect();
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const right = x + ASIDE + width <= Math.min(innerWidth - 4, home.right);
    const left = right ? x + ASIDE : Math.max(home.left + 4, x - ASIDE - width);
    tip.style.left = `${left - home.left}px`;
    tip.style.top = `${Math.max(4, Math.min(y, innerHeight - height - 8)) - home.top}px`;
  };

  const level = (/** @type {any} */ panel, /** @type {number | null} */ value) =>
    (value === null || panel.fair === null || value < panel.fair ? "" : panel.poor !== null && value >= panel.poor ? "poor" : "fair");

  /** What is known at a moment, as rows and as a sentence. @param {any} page @param {any} state @param {any} panel @param {number} at */
  const known = (page, state, panel, at) => {
    const all = series.rows(page, panel, at);
    const { shown, rest } = series.shortened(all, state.people, ROWS);
    const rows = shown.map((/** @type {any} */ { person, value }) => ({ person, text: value === null ? "not measured" : quantity(panel.unit, value), level: level(panel, value) }));
    const foot = !rest ? (all.length === 0 ? "nobody was there" : "") : rest.low === null ? `${rest.n} more` : `${rest.n} more, ${quantity(panel.unit, rest.low)} to ${quantity(panel.unit, rest.high)}`;
    return { rows, foot };
  };

  /**
   * The pointer at a moment. `panel`: the one pointed at, for the tooltip; none over the lanes.
   * @param {any} page @param {any} state @param {number} at ms since the start @param {number} x of the window @param {any} panel @param {number} y
   */
  const show = (page, state, at, x, panel, y) => {
    const [pointer, tip] = [part("pointer"), part("tip")];
    const timeline = document.getElementById("timeline");
    const lanes = timeline?.querySelector(".lanes");
    if (!pointer || !tip || !timeline || !lanes) return;
    const home = timeline.getBoundingClientRect();
    const end = state.view === "each" ? (timeline.querySelector(".key") ?? lanes).getBoundingClientRect().top : home.bottom;
    const top = lanes.getBoundingClientRect().top;
    // In small charts the line through the lanes stands where the moment is, not where the mouse is.
    const axis = lanes.querySelector(".lane")?.getBoundingClientRect();
    const [from, to] = state.zoom ?? [0, Math.max(1, page.end - page.start)];
    const over = axis ? axis.left + ((at - from) / (to - from)) * axis.width : x;
    pointer.style.left = `${over - home.left}px`;
    pointer.style.top = `${top - home.top}px`;
    pointer.style.height = `${Math.max(0, end - top)}px`;
    pointer.hidden = false;
    charts.point(at);
    const { moment } = charts;
    const [head, note] = state.time === "elapsed" ? [elapsed(at), "into the call"] : [moment(page, state.time, page.start + at, true), `${state.time === "local" ? "your time" : series.zoneOf(page, state.time)}, ${elapsed(at)} in`];
    if (panel) {
      const { rows, foot } = known(page, state, panel, at);
      fill(tip, head, note, table(panel, rows), foot);
    } else fill(tip, head, note, [], "");
    place(tip, x, y);
  };

  /**
   * The tooltip of a distribution: how often each person's readings were at this height.
   * @param {any} page @param {any} state @param {any} panel @param {number} value @param {number} x @param {number} y
   */
  const showSpread = (page, state, panel, value, x, y) => {
    const tip = part("tip");
    const bin = panel.edges.findIndex((/** @type {number} */ edge, /** @type {number} */ n) => n + 1 < panel.edges.length && value >= edge && value <= panel.edges[n + 1]);
    if (!tip || bin < 0) return hide();
    hidePointer();
    const all = panel.lines.map((/** @type {any} */ line) => ({ person: page.people[line.p], value: line.s[bin] }))
      .filter((/** @type {any} */ row) => row.value > 0).sort((/** @type {any} */ a, /** @type {any} */ b) => b.value - a.value);
    const { shown, rest } = series.shortened(all, state.people, ROWS);
    const foot = all.length === 0 ? "nobody's readings" : rest ? `${rest.n} more` : "";
    fill(tip, `${quantity(panel.unit, panel.edges[bin])} to ${quantity(panel.unit, panel.edges[bin + 1])}`, "share of readings",
      table(panel, shown.map((/** @type {any} */ row) => ({ person: row.person, text: quantity("ratio", row.value) }))), foot);
    place(tip, x, y);
  };

  const hidePointer = () => {
    const pointer = part("pointer");
    if (pointer) pointer.hidden = true;
    charts.point(null);
  };
  const hide = () => {
    hidePointer();
    const tip = part("tip");
    if (tip) tip.hidden = true;
  };

  /** The same in one sentence, for a screen reader. @param {any} page @param {any} state @param {any} panel @param {number} at */
  const spoken = (page, state, panel, at) => {
    const { rows, foot } = known(page, state, panel, at);
    return [`${panel.title}, ${charts.moment(page, state.time, page.start + at, true)}`, ...rows.map((/** @type {any} */ { person, text }) => `${person.label} ${text}`), foot].filter(Boolean).join("; ");
  };

  Object.assign(globalThis, { callMetricsTip: { show, showSpread, hide, spoken } });
})();
