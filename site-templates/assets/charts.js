// @ts-check
// Draws the charts of a call page: joins the columns in the page with the options that the report generator made, and adds
// the theme's colours and the formatters. A classic script: a report opened from disk cannot load modules.
"use strict";

/**
 * @typedef {{label: string, slot: string, number: number, gap: number, t: number[]}} Person t: ms since the start of the call
 * @typedef {{p: number, v: (number|null)[], s: number[]}} Line p: index of the person, v: values at the person's t, s: share of the readings in each bin
 * @typedef {{id: string, title: string, unit: string, time: any, spread: any, edges: number[], lines: Line[]}} PanelData
 * @typedef {{start: number, end: number, people: Person[], panels: PanelData[]}} PageData
 */

(() => {
  const { quantity, clock, elapsed } = /** @type {any} */ (globalThis).callMetricsFormat;
  const echarts = /** @type {any} */ (globalThis).echarts;
  /** Rows of a tooltip; more people than this and the largest come first, the rest are counted. */
  const TOOLTIP_ROWS = 8;

  /** @type {{panel: PanelData, time: any, spread: any}[]} */
  let drawn = [];
  /** @type {IntersectionObserver | undefined} */
  let seen;
  /** What is zoomed to, ms since the epoch; survives a refresh. @type {[number, number] | undefined} */
  let zoom;

  /** A colour or font of the theme in force. @param {string} name */
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /**
   * Points of one line, with a break wherever a silence is longer than the person's usual interval.
   * @param {PageData} page @param {Line} line @returns {(number|null)[][]}
   */
  const points = (page, line) => {
    const { t, gap } = page.people[line.p];
    /** @type {(number|null)[][]} */
    const out = [];
    t.forEach((at, n) => {
      if (n > 0 && at - t[n - 1] > gap) out.push([page.start + t[n - 1] + 1, null]);
      out.push([page.start + at, line.v[n] ?? null]);
    });
    return out;
  };

  /**
   * Outlines of a distribution, closed along the axis: one for each run of bins that hold anything.
   * @param {number[]} edges @param {number[]} shares @returns {[number, number][][]}
   */
  const outlines = (edges, shares) => {
    /** @type {[number, number][][]} */
    const out = [];
    shares.forEach((share, bin) => {
      if (share === 0) return;
      let run = out.at(-1);
      if (!run || shares[bin - 1] === 0) out.push(run = [[0, edges[bin]]]);
      run.push([share, edges[bin]], [share, edges[bin + 1]]);
      if (!shares[bin + 1]) run.push([0, edges[bin + 1]]);
    });
    return out;
  };

  /** A fill to the axis and the outline itself. @param {number[][]} points in pixels @param {string} color */
  const shapes = (points, color) => [
    { type: "polygon", shape: { points }, style: { fill: color, opacity: 0.1 } },
    { type: "polyline", shape: { points }, style: { stroke: color, lineWidth: 1.3, fill: "none" } },
  ];

  const style = () => ({
    font: getComputedStyle(document.body).fontFamily,
    ink: token("--ink"), label: token("--ink-3"), grid: token("--grid"), line: token("--line-strong"),
    surface: token("--surface"), edge: token("--line"), fair: token("--band-fair"), poor: token("--band-poor"),
  });

  /** What both charts of a panel get from the theme. @param {any} options @param {ReturnType<typeof style>} s */
  const themed = (options, s) => {
    options.textStyle = { fontFamily: s.font };
    options.tooltip = { ...options.tooltip, backgroundColor: s.surface, borderColor: s.edge, textStyle: { color: s.ink, fontSize: 12, fontFamily: s.font } };
    options.yAxis = { ...options.yAxis, axisLine: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: s.grid } } };
    const bands = options.series[0];
    bands.markArea?.data.forEach((/** @type {any} */ band, /** @type {number} */ n) => { band[0].itemStyle = { color: n === 0 ? s.fair : s.poor }; });
    return options;
  };

  /** The colour of the person whose line it is. @param {PageData} page @param {Line} line */
  const colour = (page, line) => token(`--${page.people[line.p].slot}`);

  /** Rows of a tooltip: the nearest reading of each person, largest first. @param {PageData} page @param {PanelData} panel @param {number} at */
  const rows = (page, panel, at) => panel.lines.flatMap((line) => {
    const person = page.people[line.p];
    let best = -1;
    // Ascending: the nearest is where the distance stops falling.
    for (let n = 0; n < person.t.length; n += 1) {
      if (best < 0 || Math.abs(person.t[n] - at) <= Math.abs(person.t[best] - at)) best = n;
      else break;
    }
    if (best < 0 || Math.abs(person.t[best] - at) > person.gap) return [];
    return [{ person, value: line.v[best] ?? null }];
  }).sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity));

  /** Rich text has a syntax of its own, {name|text}: no name may speak it. @param {string} text */
  const plain = (text) => text.replace(/[{}|]/g, " ").slice(0, 24);

  /** @param {PageData} page @param {PanelData} panel */
  const timeOptions = (page, panel) => {
    const s = style();
    const options = themed(structuredClone(panel.time), s);
    options.xAxis = {
      ...options.xAxis, axisLine: { lineStyle: { color: s.line } }, axisTick: { show: false }, splitLine: { show: false },
      axisLabel: { color: s.label, fontSize: 11, hideOverlap: true, showMaxLabel: false, formatter: (/** @type {number} */ ms) => clock(ms, page.end - page.start < 600_000) },
    };
    options.yAxis.axisLabel = { color: s.label, fontSize: 11, formatter: (/** @type {number} */ value) => quantity(panel.unit, value) };
    options.tooltip.axisPointer = { type: "line", lineStyle: { color: s.line, type: "dashed" }, animation: false };
    options.tooltip.formatter = (/** @type {any[]} */ hits) => {
      const ms = hits[0]?.axisValue;
      if (ms === undefined) return "";
      const all = rows(page, panel, ms - page.start);
      const shown = all.slice(0, TOOLTIP_ROWS).map(({ person, value }) =>
        `${person.number}  ${plain(person.label)}   ${value === null ? "not measured" : quantity(panel.unit, value)}`);
      if (all.length > shown.length) shown.push(`${all.length - shown.length} more`);
      return [`${clock(ms, true)} UTC   ${elapsed(ms - page.start)}`, ...shown].join("\n");
    };
    if (zoom) Object.assign(options.dataZoom[0], { startValue: zoom[0], endValue: zoom[1] });
    panel.lines.forEach((line, n) => {
      const color = colour(page, line);
      Object.assign(options.series[n + 1], {
        data: points(page, line), color, symbol: "circle", symbolSize: 6, emphasis: { disabled: true },
        // A single reading is a dot: a line needs two.
        showSymbol: page.people[line.p].t.length === 1,
        lineStyle: { width: 1.5, color, join: "round" },
      });
    });
    return options;
  };

  /** @param {PageData} page @param {PanelData} panel */
  const spreadOptions = (page, panel) => {
    const s = style();
    const options = themed(structuredClone(panel.spread), s);
    options.xAxis = {
      ...options.xAxis, axisLine: { lineStyle: { color: s.line } }, axisTick: { show: false }, splitLine: { show: false },
      axisLabel: { color: s.label, fontSize: 11, showMinLabel: false, alignMaxLabel: "right", formatter: (/** @type {number} */ share) => quantity("ratio", share) },
    };
    options.yAxis.axisLabel = { show: false };
    options.yAxis.axisLine = { show: true, lineStyle: { color: s.line } };
    panel.lines.forEach((line, n) => {
      const color = colour(page, line);
      const runs = outlines(panel.edges, line.s);
      Object.assign(options.series[n + 1], {
        data: runs.map((run) => run[0]), silent: true, clip: true,
        renderItem: (/** @type {any} */ { dataIndex }, /** @type {any} */ api) =>
          ({ type: "group", silent: true, children: shapes(runs[dataIndex].map((point) => api.coord(point)), color) }),
      });
    });
    return options;
  };

  /** @param {PageData} page @param {HTMLElement} element @param {PanelData} panel */
  const draw = (page, element, panel) => {
    const time = echarts.init(element.querySelector(".chart-time"), null, { renderer: "canvas" });
    const spread = echarts.init(element.querySelector(".chart-spread"), null, { renderer: "canvas" });
    time.setOption(timeOptions(page, panel));
    spread.setOption(spreadOptions(page, panel));
    // ECharts takes every wheel and finger, wanted or not. The page scrolls by them; Ctrl and the wheel zoom, and once
    // zoomed a finger moves along the call.
    const area = /** @type {HTMLElement} */ (element.querySelector(".chart-time"));
    area.addEventListener("wheel", (event) => { if (!event.ctrlKey) event.stopPropagation(); }, { capture: true, passive: true });
    for (const touch of ["touchstart", "touchmove"]) {
      area.addEventListener(touch, (event) => { if (!zoom) event.stopPropagation(); }, { capture: true, passive: true });
    }
    // One pointer and one zoom for all panels.
    time.group = "time";
    echarts.connect("time");
    time.on("datazoom", () => {
      const { startValue, endValue } = time.getOption().dataZoom[0];
      const whole = startValue <= page.start && endValue >= page.end;
      zoom = whole ? undefined : [startValue, endValue];
      for (const button of document.querySelectorAll(".zoom-reset")) button.toggleAttribute("hidden", whole);
    });
    drawn.push({ panel, time, spread });
    element.dataset.drawn = "";
  };

  const start = () => {
    const source = document.getElementById("charts");
    if (!source?.textContent || !echarts) return;
    seen?.disconnect();
    for (const { time, spread } of drawn) { time.dispose(); spread.dispose(); }
    drawn = [];
    /** @type {PageData} */
    const page = JSON.parse(source.textContent);
    const byId = new Map(page.panels.map((panel) => [panel.id, panel]));
    /** @param {Element} element */
    const drawIn = (element) => {
      const panel = byId.get(/** @type {HTMLElement} */ (element).dataset.panel ?? "");
      if (!panel || element.hasAttribute("data-drawn")) return;
      seen?.unobserve(element);
      draw(page, /** @type {HTMLElement} */ (element), panel);
    };
    // A panel is drawn when it comes near: a page of eighteen metrics is there at once.
    seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) if (isIntersecting) drawIn(target);
    }, { rootMargin: "600px" });
    for (const panel of document.querySelectorAll("[data-panel]")) seen.observe(panel);
    drawAll = () => { for (const panel of document.querySelectorAll("[data-panel]")) drawIn(panel); };
    for (const button of document.querySelectorAll(".zoom-reset")) {
      button.toggleAttribute("hidden", !zoom);
      button.addEventListener("click", () => drawn[0]?.time.dispatchAction({ type: "dataZoom", startValue: page.start, endValue: page.end }));
    }
    redraw = () => {
      for (const { panel, time, spread } of drawn) {
        time.setOption(timeOptions(page, panel), true);
        spread.setOption(spreadOptions(page, panel), true);
      }
    };
  };
  let redraw = () => {};
  let drawAll = () => {};

  addEventListener("resize", () => { for (const { time, spread } of drawn) { time.resize(); spread.resize(); } });
  document.addEventListener("themechange", () => redraw());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw());
  addEventListener("beforeprint", () => drawAll());
  // refresh.js put a newer build of this page in place.
  document.addEventListener("reportchange", start);
  start();
})();
