// @ts-check
// Draws the panels of a call: joins the columns in the page with the options that the report generator made, and adds the
// theme's colours and what the reader has chosen. Knows no control and no address; `call-view.js` does.
// A classic script: a report opened from disk cannot load modules.
"use strict";

/**
 * @typedef {import("./call-series.js")} _
 * @typedef {{element: HTMLElement, panel: any, time?: any, spread?: any, near: boolean, dirty: boolean | "spread", view: string}} Drawn
 */

(() => {
  const { quantity, clock, elapsed, zoneName } = /** @type {any} */ (globalThis).callMetricsFormat;
  const series = /** @type {any} */ (globalThis).callMetricsSeries;
  /** The chart library, once it is there. */
  const library = () => /** @type {any} */ (globalThis).echarts;
  /** Where the time axis begins and ends inside a chart, as charts.rs has it. */
  const GUTTER = 56;
  const MARGIN = 16;
  const PEAKS_MAX = 4;
  /** Time that drawing may take before the page gets a turn, in ms. */
  const SLICE_MS = 12;

  /** A colour or font of the theme in force. @param {string} name */
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const style = () => ({
    font: getComputedStyle(document.body).fontFamily,
    ink: token("--ink"), label: token("--ink-3"), grid: token("--grid"), line: token("--line-strong"), rest: token("--p-rest"),
    surface: token("--surface"), fair: token("--band-fair"), poor: token("--band-poor"),
  });

  /** How one person's line is drawn. @param {any} person @param {any} state @param {ReturnType<typeof style>} s */
  const look = (person, state, s) => {
    const chosen = state.people.includes(person.number);
    const away = state.people.length > 0 && !chosen;
    const grey = person.slot === "p-rest";
    return {
      color: away ? s.rest : grey ? (chosen ? s.ink : s.rest) : token(`--${person.slot}`),
      opacity: away ? 0.35 : grey && !chosen ? 0.6 : 1, width: away || (grey && !chosen) ? 1 : 1.5, away, z: away ? 2 : chosen ? 5 : grey ? 3 : 4,
    };
  };

  /** A time as the reader wants it. @param {any} page @param {string} time @param {number} ms since the epoch @param {boolean} seconds */
  const moment = (page, time, ms, seconds) => (time === "elapsed" ? elapsed(ms - page.start) : clock(ms, seconds, series.zoneOf(page, time)));

  /** The window in ms since the epoch. @param {any} page @param {any} state */
  const windowOf = (page, state) => (state.zoom ? [page.start + state.zoom[0], page.start + state.zoom[1]] : [page.start, Math.max(page.end, page.start + 1)]);

  /**
   * What both charts of a panel begin with: the frame that all share, this panel's range and bands, the theme's colours.
   * @param {any} frame @param {any} panel @param {ReturnType<typeof style>} s @param {boolean} last
   */
  const framed = (frame, panel, s, last) => {
    const options = structuredClone(frame);
    const { low, top, fair, poor } = panel;
    options.textStyle = { fontFamily: s.font };
    options.grid = { ...(Array.isArray(options.grid) ? options.grid[0] : options.grid), bottom: last ? 22 : 4 };
    // Three labels: the low end, the middle, the top.
    options.yAxis = { ...options.yAxis, min: low, max: top, interval: (top - low) / 2, axisLine: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: s.grid } } };
    // Fair from the first threshold, poor from the second; nothing behind good.
    const band = (/** @type {string} */ color, /** @type {number} */ from, /** @type {number} */ to) => [{ yAxis: Math.min(from, top), itemStyle: { color } }, { yAxis: Math.min(to, top) }];
    if (fair !== null) options.series[0].markArea.data = [band(s.fair, fair, poor), band(s.poor, poor, top)];
    return options;
  };

  /** @param {any} page @param {any} panel @param {any} state @param {number} width px @param {boolean} last with labels of time */
  const timeOptions = (page, panel, state, width, last) => {
    const s = style();
    const options = framed(page.frames.time, panel, s, last);
    const [from, to] = windowOf(page, state);
    const { at, seconds } = series.ticks(from, to, series.origin(page, state.time, from), Math.max(2, Math.min(8, Math.floor((width - GUTTER - MARGIN) / 76))));
    // No label beyond the right end.
    const labelled = at.filter((/** @type {number} */ ms) => to - ms > (to - from) * 0.03);
    options.xAxis = {
      ...options.xAxis, type: "value", min: from, max: to, axisLine: { lineStyle: { color: s.line } },
      axisTick: { show: false, customValues: at }, splitLine: { show: true, lineStyle: { color: s.grid } },
      axisLabel: { show: last, color: s.label, fontSize: 11, customValues: labelled, showMinLabel: null, showMaxLabel: null, hideOverlap: true, formatter: (/** @type {number} */ ms) => moment(page, state.time, ms, seconds) },
    };
    options.yAxis.axisLabel = { color: s.label, fontSize: 11, formatter: (/** @type {number} */ value) => quantity(panel.unit, value) };
    const [bands, prototype] = options.series;
    const peaks = series.peaks(page, panel, [from - page.start, to - page.start], state.people, PEAKS_MAX);
    options.series = [bands, ...panel.lines.map((/** @type {any} */ line) => {
      const person = page.people[line.p];
      const { color, opacity, width, z } = look(person, state, s);
      const peak = peaks.find((/** @type {any} */ one) => one.line === line);
      return {
        ...prototype, id: `line-${line.p}`, data: series.points(page, line), color, z, silent: true, symbol: "circle", symbolSize: 6, emphasis: { disabled: true },
        // A single reading is a dot: a line needs two.
        showSymbol: person.t.length === 1,
        lineStyle: { width, color, opacity, join: "round" },
        markPoint: peak && {
          silent: true, animation: false, symbol: "roundRect", symbolSize: [person.number > 99 ? 26 : 18, 15], symbolOffset: [0, -11], itemStyle: { color },
          label: { formatter: String(person.number), fontSize: 10, fontWeight: 660, color: person.slot === "p-rest" ? s.surface : token(`--${person.slot}-on`) },
          data: [{ coord: [page.start + peak.at, peak.value] }],
        },
      };
    })];
    return options;
  };

  /** A fill to the axis and the outline itself. @param {number[][]} points in pixels @param {{color: string, opacity: number}} how */
  const shapes = (points, { color, opacity }) => [
    { type: "polygon", shape: { points }, style: { fill: color, opacity: 0.1 * opacity } },
    { type: "polyline", shape: { points }, style: { stroke: color, lineWidth: 1.3, fill: "none", opacity } },
  ];

  /** @param {any} page @param {any} panel @param {any} state @param {boolean} last */
  const spreadOptions = (page, panel, state, last) => {
    const s = style();
    const options = framed(page.frames.spread, panel, s, last);
    options.xAxis = {
      ...options.xAxis, max: panel.shareMax, interval: panel.shareMax, axisLine: { lineStyle: { color: s.line } }, axisTick: { show: false }, splitLine: { show: false },
      axisLabel: { show: last, color: s.label, fontSize: 11, showMinLabel: false, alignMaxLabel: "right", formatter: (/** @type {number} */ share) => quantity("ratio", share) },
    };
    options.yAxis.axisLabel = { show: false };
    options.yAxis.axisLine = { show: true, lineStyle: { color: s.line } };
    const [bands, prototype] = options.series;
    // A mark on the base line says nothing, and two on each other cannot be read.
    const height = panel.top - panel.low;
    const all = [{ name: "median", yAxis: panel.p50 }, { name: "p95", yAxis: panel.p95 }];
    const marks = all.filter((/** @type {any} */ mark) => mark.yAxis - panel.low > height * 0.06);
    if (marks.length === 2 && marks[1].yAxis - marks[0].yAxis < height * 0.11) marks.shift();
    bands.markLine = { ...bands.markLine, data: marks, animation: false, lineStyle: { color: s.label, type: "dotted", width: 1 }, label: { position: "insideEndTop", distance: 2, formatter: "{b}", color: s.label, fontSize: 10 } };
    bands.z = 6;
    options.series = [bands, ...panel.lines.map((/** @type {any} */ line) => {
      const how = look(page.people[line.p], state, s);
      const runs = series.outlines(panel.edges, line.s);
      return {
        ...prototype, id: `line-${line.p}`, z: how.z, data: runs.map((/** @type {any} */ run) => run[0]), silent: true, clip: true,
        renderItem: (/** @type {any} */ { dataIndex }, /** @type {any} */ api) =>
          ({ type: "group", silent: true, children: shapes(runs[dataIndex].map((/** @type {any} */ point) => api.coord(point)), how) }),
      };
    })];
    return options;
  };

  const SVG = "http://www.w3.org/2000/svg";
  /** @param {string} name @param {Record<string, string | number>} attributes */
  const svg = (name, attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    return element;
  };

  /** A badge with the number of a person. @param {any} person */
  const badge = (person) => {
    const element = document.createElement("span");
    element.className = `badge ${person.slot}`;
    element.textContent = String(person.number);
    return element;
  };

  /** One small chart a person, worst first, all with the same scales. @param {any} page @param {any} panel @param {any} state */
  const facets = (page, panel, state) => {
    const box = document.createElement("div");
    box.className = "facets";
    const [from, to] = windowOf(page, state).map((ms) => ms - page.start);
    const height = panel.top - panel.low;
    const y = (/** @type {number} */ value) => 100 - ((value - panel.low) / height) * 100;
    const s = style();
    const bitrate = panel.unit === "bit/s";
    for (const line of series.worstFirst(panel)) {
      const person = page.people[line.p];
      const how = look(person, state, s);
      const number = line.stats[series.STATS.indexOf(bitrate ? "p50" : "p95")];
      const caption = `${bitrate ? "median" : "p95"} ${quantity(panel.unit, number)}`;
      const figure = document.createElement("figure");
      figure.className = "facet";
      figure.dataset.p = String(person.number);
      const head = document.createElement("figcaption");
      const who = document.createElement("button");
      who.type = "button";
      who.className = "who-small";
      who.dataset.person = String(person.number);
      who.setAttribute("aria-pressed", String(state.people.includes(person.number)));
      const name = document.createElement("bdi");
      name.textContent = person.label || "(no name)";
      who.append(badge(person), name);
      const value = document.createElement("span");
      value.textContent = caption;
      const beyond = bitrate ? "" : series.level(panel, number);
      if (beyond) value.className = `ink-${beyond}`;
      head.append(who, value);
      const picture = svg("svg", { viewBox: `${from} 0 ${to - from} 100`, preserveAspectRatio: "none", role: "img", "aria-label": `${panel.title}, ${person.label}: ${caption}` });
      const largest = line.stats[series.STATS.indexOf("max")];
      if (panel.fair !== null && largest >= panel.fair) {
        const band = (/** @type {string} */ name, /** @type {number} */ low, /** @type {number} */ high) => svg("rect", { class: name, x: from, width: to - from, y: y(high), height: Math.max(0, y(low) - y(high)) });
        picture.append(band("band-fair", Math.min(panel.fair, panel.top), Math.min(panel.poor, panel.top)), band("band-poor", Math.min(panel.poor, panel.top), panel.top));
      } else if (panel.fair !== null && panel.fair < panel.top) {
        picture.append(svg("path", { class: "first-threshold", d: `M${from} ${y(panel.fair)}H${to}` }));
      }
      let d = "";
      let open = false;
      for (const [ms, v] of series.points(page, line)) {
        if (v === null) { open = false; continue; }
        const place = `${ms - page.start} ${Math.round(y(v) * 100) / 100}`;
        d += open ? `L${place}` : `M${place}h0`;
        open = true;
      }
      const path = svg("path", { class: "facet-line", d });
      path.style.stroke = how.color;
      path.style.opacity = String(how.opacity);
      picture.append(path, svg("path", { class: "cursor", d: "" }));
      figure.append(head, picture);
      box.append(figure);
    }
    return box;
  };

  /** @type {Drawn[]} */
  let drawn = [];
  /** @type {any} */
  let page;
  /** @type {any} */
  let state;
  /** @type {IntersectionObserver | undefined} */
  let seen;
  let waiting = 0;

  /** A chart with these options, a new one where there is none: it is painted with the next frame unless that is too late. @param {any} chart @param {HTMLElement} box @param {any} options @param {boolean} now */
  const put = (chart, box, options, now) => {
    const made = chart ?? library().init(box, null, { renderer: "canvas" });
    made.resize();
    made.setOption(options, { notMerge: true, lazyUpdate: !now && !chart });
    return made;
  };

  /** @param {Drawn} one @param {boolean} whole else one of its two charts, the second one when called again */
  const draw = (one, whole) => {
    const { element, panel } = one;
    if (one.view !== state.view) {
      one.view = state.view;
      element.dataset.view = state.view;
      element.querySelector(".facets")?.remove();
    }
    if (state.view === "each") {
      const next = facets(page, panel, state);
      const old = element.querySelector(".facets");
      if (old) old.replaceWith(next); else element.append(next);
    } else {
      const [timeBox, spreadBox] = [".chart-time", ".chart-spread"].map((name) => /** @type {HTMLElement} */ (element.querySelector(name)));
      const last = element.classList.contains("panel-last");
      if (one.dirty !== "spread") {
        one.time = put(one.time, timeBox, timeOptions(page, panel, state, timeBox.clientWidth, last), whole);
        one.dirty = "spread";
        if (!whole) return;
      }
      one.spread = put(one.spread, spreadBox, spreadOptions(page, panel, state, last), whole);
    }
    one.dirty = false;
    element.dataset.drawn = "";
  };

  /** Draws what is near and out of date, a slice at a time: no long task, however many people and metrics there are. */
  const work = () => {
    waiting = 0;
    const begin = performance.now();
    for (const one of drawn) {
      while (one.near && one.dirty) {
        if (performance.now() - begin > SLICE_MS) { waiting = requestAnimationFrame(work); return; }
        const made = one.time && one.spread;
        draw(one, false);
        // A new chart costs several times what drawing it again does: it has this turn, and the next frame to be painted in.
        if (!made) { waiting = requestAnimationFrame(() => { waiting = requestAnimationFrame(work); }); return; }
      }
    }
  };
  const plan = () => { if (library() || state.view === "each") waiting ||= requestAnimationFrame(work); };

  let asked = false;
  /**
   * Asks for the chart library, a large script, after the page was painted: text and lanes do not wait for it. On a disk it is
   * there at once, and what prints the page as soon as it has loaded gets the charts too.
   */
  const fetchLibrary = () => {
    if (asked || library()) return;
    asked = true;
    const script = document.createElement("script");
    script.src = `${/** @type {HTMLElement} */ (document.getElementById("report")).dataset.assets}echarts.js`;
    script.onload = plan;
    script.onerror = () => { for (const said of document.querySelectorAll(".chart-time")) said.textContent = "The chart library could not be loaded. The table has the numbers; loading the page again may help."; };
    if (location.protocol === "file:") document.head.append(script);
    else requestAnimationFrame(() => setTimeout(() => document.head.append(script)));
  };

  /** Takes the panels of a page over; the old ones are let go. @param {any} next @param {any} chosen */
  const start = (next, chosen) => {
    seen?.disconnect();
    for (const { time, spread } of drawn) { time?.dispose(); spread?.dispose(); }
    [page, state] = [next, chosen];
    const byId = new Map(page.panels.map((/** @type {any} */ panel) => [panel.id, panel]));
    const elements = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-panel]")]);
    drawn = elements.flatMap((element) => {
      const panel = byId.get(element.dataset.panel ?? "");
      return panel ? [{ element, panel, near: false, dirty: true, view: "together" }] : [];
    });
    // A panel is drawn when it comes near: a page of eighteen metrics is there at once.
    seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const one = drawn.find(({ element }) => element === target);
        if (one) one.near = isIntersecting;
      }
      plan();
    }, { rootMargin: "600px" });
    for (const { element } of drawn) seen.observe(element);
    fetchLibrary();
  };

  /** Everything again, with what is chosen now. @param {any} chosen */
  const update = (chosen) => {
    state = chosen;
    for (const one of drawn) one.dirty = true;
    plan();
  };

  /** Everything at once, for paper. */
  const all = () => { if (library()) for (const one of drawn) { one.dirty = true; draw(one, true); } };

  /** A vertical line through the small charts. @param {number | null} at ms since the start */
  const point = (at) => {
    if (state?.view !== "each") return;
    for (const { element, near } of drawn) {
      if (near) for (const cursor of element.querySelectorAll(".cursor")) cursor.setAttribute("d", at === null ? "" : `M${at} 0V100`);
    }
  };

  /** One panel as a picture, with its title and who is on it; the same size on every screen. @param {any} panel @returns {HTMLCanvasElement | undefined} none without the chart library */
  const picture = (panel) => {
    if (!library()) return undefined;
    const [W, H, SPREAD, TOP] = [1000, 260, 260, 74];
    const s = style();
    const shown = (/** @type {number} */ width, /** @type {any} */ options) => {
      const chart = library().init(document.createElement("div"), null, { renderer: "canvas", width, height: H, devicePixelRatio: 2 });
      chart.setOption(options);
      const canvas = chart.renderToCanvas({ pixelRatio: 2, backgroundColor: s.surface });
      return { canvas, chart };
    };
    const time = shown(W, timeOptions(page, panel, { ...state, view: "together" }, W, true));
    const spread = shown(SPREAD, spreadOptions(page, panel, state, true));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [(W + SPREAD) * 2, (H + TOP) * 2];
    const brush = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    brush.scale(2, 2);
    brush.fillStyle = s.surface;
    brush.fillRect(0, 0, W + SPREAD, H + TOP);
    brush.fillStyle = s.ink;
    brush.font = `640 16px ${s.font}`;
    brush.fillText(panel.title, 12, 26);
    brush.fillStyle = s.label;
    brush.font = `12px ${s.font}`;
    const [from, to] = windowOf(page, state);
    const zone = state.time === "elapsed" ? "since the start" : zoneName(series.zoneOf(page, state.time));
    brush.fillText(`${new Date(page.start).toISOString().slice(0, 10)}, ${moment(page, state.time, from, true)}–${moment(page, state.time, to, true)} ${zone}`, 12 + Math.max(200, panel.title.length * 10), 26);
    brush.fillText("Share of readings", W, 58);
    let x = 12;
    const people = page.people.filter((/** @type {any} */ person) => (state.people.length > 0 ? state.people.includes(person.number) : person.slot !== "p-rest"));
    for (const person of people) {
      const name = `${person.number} ${person.label.replace(/[\p{Cc}\p{Cf}]/gu, " ").slice(0, 20)}`;
      const width = brush.measureText(name).width + 30;
      if (x + width > W) break;
      brush.fillStyle = look(person, state, s).color;
      brush.fillRect(x, 48, 10, 10);
      brush.fillStyle = s.ink;
      brush.fillText(name, x + 15, 58);
      x += width;
    }
    brush.drawImage(time.canvas, 0, TOP, W, H);
    brush.drawImage(spread.canvas, W, TOP, SPREAD, H);
    time.chart.dispose();
    spread.chart.dispose();
    return canvas;
  };

  Object.assign(globalThis, { callMetricsCharts: { GUTTER, MARGIN, start, update, all, point, picture, moment, windowOf, badge } });
})();
