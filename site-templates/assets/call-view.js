// @ts-check
// What a reader does on a call's page: choose people, a window of time, how charts and times are shown; jump, copy, save,
// print. All of it stands in the address, so that the back button undoes it and a copied link shows the same.
// A classic script: a report opened from disk cannot load modules.
"use strict";

(() => {
  const global = /** @type {any} */ (globalThis);
  const states = global.callMetricsState;
  const charts = global.callMetricsCharts;
  const panels = global.callMetricsPanels;
  const tip = global.callMetricsTip;
  const exporter = global.callMetricsExport;
  const { save, copy } = global.callMetricsSaving;
  const series = global.callMetricsSeries;
  /** What a notch of the wheel leaves of the window; how far it turns, in either unit; and no more than so many of them at once. */
  const ZOOM_PER_NOTCH = 0.7;
  const PIXELS_PER_NOTCH = 100;
  const LINES_PER_NOTCH = 3;
  const NOTCHES_MAX = 6;
  /** A shorter drag is a click. */
  const DRAG_PX = 6;
  /** Around a moment that is jumped to, and no less than this. */
  const JUMP_AROUND = 0.6;
  const JUMP_MS_MIN = 60_000;
  const TABLE_ROWS = 40;

  /** @type {any} */
  let page;
  /** @type {any} */
  let state;
  let span = 1;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let filling;
  /** Where the keyboard's pointer is, ms since the start. @type {number | null} */
  let at = null;

  /** @template {Element} T @param {string} selector @returns {T[]} */
  const all = (selector) => /** @type {T[]} */ ([...document.querySelectorAll(selector)]);
  const say = (/** @type {string} */ text) => { const said = document.getElementById("said"); if (said) said.textContent = text; };
  const panelOf = (/** @type {Element | null} */ element) => {
    const id = /** @type {HTMLElement | null | undefined} */ (element?.closest("[data-panel]"))?.dataset.panel;
    return page?.panels.find((/** @type {any} */ panel) => panel.id === id);
  };
  const window_ = () => state.zoom ?? [0, span];

  /** A new choice: shown, and kept in the address. @param {any} change @param {boolean} [settle] one of a quick series: the last one counts */
  const choose = (change, settle = false) => {
    state = { ...state, ...change };
    show();
    if (settle) rememberSoon(); else remember();
  };
  const { address, letGo, remember, rememberSoon } = global.callMetricsAddress.keeper(() => states.format(state));
  const recall = () => {
    letGo();
    state = states.parse(location.hash, span, page.people.length);
    show();
  };

  /** Who is not chosen steps back, wherever they stand. */
  const dim = () => {
    const chosen = state.people;
    for (const element of all("[data-p]")) element.classList.toggle("away", chosen.length > 0 && !chosen.includes(Number(/** @type {HTMLElement} */ (element).dataset.p)));
  };

  /** Everything that shows a choice. */
  const show = () => {
    const chosen = state.people;
    dim();
    chips();
    for (const button of all("[data-person]")) button.setAttribute("aria-pressed", String(chosen.includes(Number(/** @type {HTMLElement} */ (button).dataset.person))));
    for (const group of all("[data-choice]")) {
      for (const button of group.querySelectorAll("button")) button.setAttribute("aria-pressed", String(state[/** @type {HTMLElement} */ (group).dataset.choice ?? ""] === button.dataset.value));
    }
    for (const button of all(".zoom-reset")) button.toggleAttribute("hidden", !state.zoom);
    for (const button of all(".everyone")) button.toggleAttribute("hidden", chosen.length === 0);
    // Who is chosen can be seen.
    const others = /** @type {HTMLDetailsElement | null} */ (document.querySelector(".others"));
    if (others && chosen.some((/** @type {number} */ number) => others.querySelector(`[data-person="${number}"]`))) others.open = true;
    times();
    lanes();
    ruler();
    for (const table of all(".panel-table")) fillTable(/** @type {HTMLElement} */ (table));
    charts.update(state);
  };

  const times = () => {
    for (const element of all("time[data-at]")) element.textContent = charts.moment(page, state.time, page.start + Number(/** @type {HTMLElement} */ (element).dataset.at), true);
    const clock = state.time === "elapsed" ? "utc" : state.time;
    const zone = global.callMetricsFormat.zoneName(series.zoneOf(page, clock));
    for (const element of all("[data-span]")) element.textContent = `${charts.moment(page, clock, page.start, false)}–${charts.moment(page, clock, page.end, false)} ${zone}`;
    for (const element of all(".ruler-zone")) element.textContent = state.time === "elapsed" ? "since the start" : zone;
  };

  /** How wide labels of lanes are, long and short. @type {WeakMap<HTMLElement, [number, number]>} */
  const widths = new WeakMap();
  /** All at once: each width that is asked for after a change would lay the page out anew. @param {HTMLElement[]} labels */
  const measure = (labels) => {
    const fresh = labels.filter((label) => !widths.has(label));
    for (const label of fresh) {
      label.dataset.long ??= label.textContent ?? "";
      [label.hidden, label.textContent] = [false, label.dataset.long];
    }
    const long = fresh.map((label) => label.offsetWidth);
    for (const label of fresh) label.textContent = label.dataset.short ?? "";
    fresh.forEach((label, at) => widths.set(label, [long[at], label.offsetWidth]));
  };

  /** Lanes follow the window: pictures by their own units, labels by place, none over another. */
  const lanes = () => {
    const [from, to] = window_();
    const unit = 100_000 / span;
    for (const picture of all(".lane-svg")) picture.setAttribute("viewBox", `${from * unit} 0 ${(to - from) * unit} 34`);
    const place = (/** @type {number} */ ms) => ((ms - from) / (to - from)) * 100;
    // Those of a list that is closed have no width, and wait until it opens.
    const wide = all(".lane").map((lane) => /** @type {[Element, number]} */ ([lane, lane.clientWidth])).filter(([, width]) => width > 0);
    measure(wide.flatMap(([lane]) => /** @type {HTMLElement[]} */ ([...lane.querySelectorAll(".lane-label")])));
    for (const [lane, width] of wide) {
      /** @type {[number, number][]} */
      const taken = [];
      for (const label of /** @type {NodeListOf<HTMLElement>} */ (lane.querySelectorAll(".lane-label"))) {
        const [begin, end] = [Number(label.dataset.from), Number(label.dataset.to)];
        const left = Math.max(0, place(begin));
        label.hidden = end < from || begin > to;
        if (label.hidden) continue;
        const [long, short] = widths.get(label) ?? [0, 0];
        const fits = (/** @type {string} */ text, /** @type {number} */ length) => {
          const x = Math.min((left / 100) * width, width - length);
          const next = /** @type {[number, number]} */ ([x, x + length + 6]);
          if (x < 0 || taken.some(([a, b]) => next[0] < b && a < next[1])) return false;
          taken.push(next);
          label.textContent = text;
          label.style.left = `${x}px`;
          return true;
        };
        label.hidden = !fits(label.dataset.long ?? "", long) && !fits(label.dataset.short ?? "", short);
      }
    }
  };

  const ruler = () => {
    for (const box of /** @type {HTMLElement[]} */ (all(".ruler-time"))) {
      const [from, to] = charts.windowOf(page, state);
      const { at: ticks, seconds } = series.ticks(from, to, series.origin(page, state.time, from), Math.max(2, Math.min(8, Math.floor(box.clientWidth / 76))));
      box.replaceChildren(...ticks.filter((/** @type {number} */ ms) => to - ms > (to - from) * 0.03).map((/** @type {number} */ ms) => {
        const tick = document.createElement("span");
        tick.textContent = charts.moment(page, state.time, ms, seconds);
        tick.style.left = `${((ms - from) / (to - from)) * 100}%`;
        return tick;
      }));
    }
  };

  /** The legend, once the lanes have scrolled away: everybody with a colour and who is chosen. */
  const chips = () => {
    for (const box of all(".chips")) {
      const people = page.people.filter((/** @type {any} */ person) => person.slot !== "p-rest" || state.people.includes(person.number));
      box.replaceChildren(...people.map((/** @type {any} */ person) => {
        const chip = document.createElement("button");
        chip.type = "button";
        chip.className = "chip";
        chip.dataset.person = String(person.number);
        const name = document.createElement("bdi");
        name.textContent = person.label || "(no name)";
        chip.append(charts.badge(person), name);
        return chip;
      }));
    }
  };

  /** A chart as a table: of each stretch of the window the smallest and largest reading. @param {HTMLElement} box */
  const fillTable = (box) => {
    const panel = panelOf(box);
    if (!panel) return;
    const { quantity, elapsed } = global.callMetricsFormat;
    const lines = panel.lines.filter((/** @type {any} */ line) => state.people.length === 0 || state.people.includes(page.people[line.p].number));
    const [from, to] = window_();
    const table = document.createElement("table");
    const caption = table.createCaption();
    const readings = lines.reduce((/** @type {number} */ sum, /** @type {any} */ line) => sum + (line.stats[0] ?? 0), 0);
    const points = lines.reduce((/** @type {number} */ sum, /** @type {any} */ line) => sum + line.v.filter((/** @type {any} */ v) => v !== null).length, 0);
    caption.textContent = `${panel.title}: smallest to largest reading of each ${elapsed(Math.max(1000, (to - from) / TABLE_ROWS))}. ${readings} readings in the call, drawn at ${points} points.`;
    const head = table.createTHead().insertRow();
    const heading = (/** @type {HTMLTableRowElement} */ row, /** @type {(string|Node)[]} */ ...parts) => {
      const cell = document.createElement("th");
      cell.scope = row === head ? "col" : "row";
      cell.append(...parts);
      row.append(cell);
    };
    heading(head, "From");
    for (const line of lines) {
      const name = document.createElement("bdi");
      name.textContent = page.people[line.p].label || "(no name)";
      heading(head, charts.badge(page.people[line.p]), " ", name);
    }
    const body = table.createTBody();
    for (const { from: begin, cells } of series.stretches(page, panel, lines, [from, to], TABLE_ROWS)) {
      const row = body.insertRow();
      heading(row, charts.moment(page, state.time, page.start + begin, true));
      for (const cell of cells) {
        const [low, high] = cell ? [quantity(panel.unit, cell.low), quantity(panel.unit, cell.high)] : ["–", "–"];
        row.insertCell().textContent = low === high ? low : `${low} to ${high}`;
      }
    }
    box.replaceChildren(table);
  };

  /** @param {HTMLButtonElement} button */
  const toggleTable = (button) => {
    const home = /** @type {HTMLElement} */ (button.closest("[data-panel]"));
    const old = home.querySelector(".panel-table");
    button.setAttribute("aria-expanded", String(!old));
    if (old) return old.remove();
    const box = document.createElement("div");
    box.className = "panel-table scroll";
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", `${panelOf(home)?.title} as a table`);
    home.append(box);
    fillTable(box);
  };

  /** Says on the button that it is done. @param {HTMLElement} button @param {string} word */
  const done = (button, word) => {
    button.dataset.said ??= button.textContent ?? "";
    button.textContent = word;
    say(word);
    setTimeout(() => { button.textContent = button.dataset.said ?? ""; }, 1500);
  };

  /** @type {Record<string, (button: HTMLButtonElement) => void>} */
  const DO = {
    link: (button) => {
      remember();
      copy(address()).then(() => done(button, "Copied"));
    },
    csv: (button) => {
      const panel = panelOf(button);
      save(`${page.id}${panel ? `-${panel.id}` : ""}.csv`, new Blob([exporter.csv(exporter.table(page, state, panel?.id))], { type: "text/csv" }));
    },
    json: () => save(`${page.id}.json`, new Blob([`${JSON.stringify(exporter.json(page, state), null, 1)}\n`], { type: "application/json" })),
    png: (button) => {
      const panel = panelOf(button);
      charts.picture(panel)?.toBlob((/** @type {Blob | null} */ blob) => { if (blob) save(`${page.id}-${panel.id}.png`, blob); });
    },
    print: () => print(),
    table: toggleTable,
  };

  /** To a moment: its window, its person, its panel. @param {HTMLElement} button */
  const jump = (button) => {
    const [from, to] = (button.dataset.jump ?? "").split(" ").map(Number);
    const around = Math.max(JUMP_MS_MIN, (to - from) * JUMP_AROUND);
    const of = Number(button.dataset.of);
    // Who has stepped back could hardly be seen.
    const people = state.people.length === 0 || state.people.includes(of) ? state.people : [of];
    choose({ zoom: states.clamped(from - around, to + around, span), people });
    const target = document.querySelector(`[data-panel="${CSS.escape(button.dataset.in ?? "")}"]`) ?? document.querySelector(`.lanes [data-p="${of}"]`);
    const others = target?.closest("details");
    if (others) others.open = true;
    target?.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    say(`Charts show ${charts.moment(page, state.time, page.start + window_()[0], true)} to ${charts.moment(page, state.time, page.start + window_()[1], true)}`);
  };

  document.addEventListener("click", (event) => {
    const button = /** @type {HTMLButtonElement | null} */ (/** @type {Element} */ (event.target).closest?.("button"));
    for (const menu of all("details.more[open]")) if (!menu.contains(/** @type {Node} */ (event.target))) menu.removeAttribute("open");
    if (!button || !page) return;
    const { person, copy: text, jump: moment } = button.dataset;
    const choice = /** @type {HTMLElement | null} */ (button.closest("[data-choice]"))?.dataset.choice;
    if (person !== undefined) {
      const chip = button.classList.contains("chip");
      choose({ people: states.picked(state.people, Number(person), event.shiftKey || event.ctrlKey || event.metaKey) });
      // Chips are made anew.
      if (chip) /** @type {HTMLElement | null} */ (document.querySelector(`.chip[data-person="${Number(person)}"]`))?.focus();
      say(state.people.length === 0 ? "Everyone is shown" : `${state.people.length} of ${page.people.length} people shown`);
    } else if (choice !== undefined) choose({ [choice]: button.dataset.value });
    else if (text !== undefined) copy(text).then(() => done(button, "copied"));
    else if (moment !== undefined) jump(button);
    else if (button.classList.contains("zoom-reset")) choose({ zoom: null });
    else if (button.classList.contains("everyone")) choose({ people: [] });
    else if (button.dataset.do) {
      DO[button.dataset.do]?.(button);
      // The menu has served, but for the link: its button says that it is copied.
      const menu = button.closest("details.more");
      if (menu && button.dataset.do !== "link") {
        menu.removeAttribute("open");
        /** @type {HTMLElement | null} */ (menu.querySelector("summary"))?.focus();
      }
    }
  });

  /** The part of an element that is the time axis, in px of the window. @param {Element} area */
  const axisOf = (area) => {
    const box = area.getBoundingClientRect();
    return area.classList.contains("chart-time") ? { left: box.left + charts.GUTTER, width: box.width - charts.GUTTER - charts.MARGIN, box } : { left: box.left, width: box.width, box };
  };
  const timeAt = (/** @type {Element} */ area, /** @type {number} */ x) => {
    const axis = axisOf(area);
    const [from, to] = window_();
    return from + Math.min(1, Math.max(0, (x - axis.left) / Math.max(1, axis.width))) * (to - from);
  };
  const AREAS = ".chart-time, .lane, .facet svg";
  const areaOf = (/** @type {EventTarget | null} */ target) => (target instanceof Element ? target.closest(AREAS) : null);

  /** @type {{area: Element, x: number, id: number} | null} */
  let drag = null;
  const brush = () => /** @type {HTMLElement | null} */ (document.querySelector("#timeline > .brush"));

  let pointedAt = 0;
  document.addEventListener("pointermove", (event) => {
    if (!page) return;
    pointedAt = scrollY;
    if (drag) return pull(event.clientX);
    const area = areaOf(event.target);
    if (area) return tip.show(page, state, timeAt(area, event.clientX), event.clientX, panelOf(area), event.clientY + 12);
    const spread = event.target instanceof Element ? event.target.closest(".chart-spread") : null;
    const panel = panelOf(spread);
    if (!spread || !panel) return tip.hide();
    const box = spread.getBoundingClientRect();
    const bottom = box.bottom - (spread.closest(".panel-last") ? 22 : 4);
    tip.showSpread(page, state, panel, panel.low + ((bottom - event.clientY) / (bottom - box.top - 20)) * (panel.top - panel.low), event.clientX, event.clientY + 12);
  });
  document.documentElement.addEventListener("pointerleave", () => { if (!drag) tip.hide(); });
  // A scroll that ended before the pointer moved is told late.
  addEventListener("scroll", () => { if (scrollY !== pointedAt) tip.hide(); }, { passive: true });

  document.addEventListener("pointerdown", (event) => {
    const area = areaOf(event.target);
    if (!area || !page || event.button !== 0 || event.pointerType === "touch") return;
    drag = { area, x: event.clientX, id: event.pointerId };
  });
  const pull = (/** @type {number} */ x) => {
    const box = brush();
    if (!drag || !box || Math.abs(x - drag.x) < DRAG_PX) return;
    const { left, width, box: area } = axisOf(drag.area);
    const home = /** @type {HTMLElement} */ (document.getElementById("timeline")).getBoundingClientRect();
    const [a, b] = [Math.min(x, drag.x), Math.max(x, drag.x)].map((one) => Math.min(left + width, Math.max(left, one)));
    tip.hide();
    box.hidden = false;
    [box.style.left, box.style.width, box.style.top, box.style.height] = [a - home.left, b - a, area.top - home.top, area.height].map((px) => `${px}px`);
  };
  document.addEventListener("pointerup", (event) => {
    const begun = drag;
    drag = null;
    const box = brush();
    if (box) box.hidden = true;
    if (!begun || Math.abs(event.clientX - begun.x) < DRAG_PX) return;
    const [a, b] = [timeAt(begun.area, begun.x), timeAt(begun.area, event.clientX)].sort((one, other) => one - other);
    choose({ zoom: states.clamped(a, b, span) });
  });
  document.addEventListener("pointercancel", () => { drag = null; const box = brush(); if (box) box.hidden = true; });

  // The page scrolls by the wheel; Ctrl and the wheel zoom.
  document.addEventListener("wheel", (event) => {
    const area = areaOf(event.target);
    if (!area || !page || !event.ctrlKey) return;
    event.preventDefault();
    // As far as the wheel was turned: a busy page gets several turns as one, a trackpad gives a little at a time.
    const notches = event.deltaY / (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? PIXELS_PER_NOTCH : LINES_PER_NOTCH);
    choose({ zoom: states.zoomed(state.zoom, timeAt(area, event.clientX), ZOOM_PER_NOTCH ** Math.max(-NOTCHES_MAX, Math.min(NOTCHES_MAX, -notches)), span) }, true);
  }, { passive: false });

  document.addEventListener("keydown", (event) => {
    if (!page || event.altKey || event.metaKey || event.ctrlKey) return;
    if (event.key === "Escape") {
      tip.hide();
      const menu = document.querySelector("details.more[open]");
      if (menu) { menu.removeAttribute("open"); /** @type {HTMLElement | null} */ (menu.querySelector("summary"))?.focus(); } else if (drag) drag = null;
      else if (state.people.length > 0) { choose({ people: [] }); say("Everyone is shown"); }
      return;
    }
    const area = event.target instanceof HTMLElement && event.target.classList.contains("chart-time") ? event.target : null;
    if (!area) return;
    const [from, to] = window_();
    const step = (to - from) / 50;
    const middle = at === null || at < from || at > to ? (from + to) / 2 : at;
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowLeft: () => { at = Math.max(from, middle - step); }, ArrowRight: () => { at = Math.min(to, middle + step); },
      Home: () => { at = from; }, End: () => { at = to; },
      "+": () => choose({ zoom: states.zoomed(state.zoom, middle, 0.5, span) }, true), "-": () => choose({ zoom: states.zoomed(state.zoom, middle, 2, span) }, true),
      0: () => choose({ zoom: null }),
    };
    const act = keys[event.key === "=" ? "+" : event.key];
    if (!act) return;
    event.preventDefault();
    act();
    at ??= middle;
    const axis = axisOf(area);
    const [left, right] = window_();
    const panel = panelOf(area);
    pointedAt = scrollY;
    tip.show(page, state, at, axis.left + ((at - left) / (right - left)) * axis.width, panel, axis.box.top + 20);
    say(tip.spoken(page, state, panel, at));
  });
  document.addEventListener("focusout", (event) => { if (event.target instanceof Element && event.target.classList.contains("chart-time")) tip.hide(); });

  // Two lists of people at once is one too many.
  /** @type {IntersectionObserver | undefined} */
  let seen;
  const watchLanes = () => {
    seen?.disconnect();
    const [head, list] = [document.querySelector(".timeline-head"), document.querySelector(".lanes")];
    if (!head || !list) return;
    seen = new IntersectionObserver(([entry]) => {
      const away = !entry.isIntersecting && entry.boundingClientRect.top < 0;
      head.classList.toggle("scrolled", away);
      for (const chips of all(".chips")) chips.toggleAttribute("hidden", !away);
    }, { rootMargin: "-76px 0px 0px" });
    seen.observe(list);
  };

  /** The table of numbers, a metric at a time, once it is near: it is long, and nobody looks at it first. */
  const fillNumbers = () => {
    clearTimeout(filling);
    if (!panels.nextNumbers(page)) return dim();
    filling = setTimeout(fillNumbers);
  };
  /** @type {IntersectionObserver | undefined} */
  let numbersSeen;
  const watchNumbers = () => {
    numbersSeen?.disconnect();
    const box = document.getElementById("numbers");
    if (!box) return;
    numbersSeen = new IntersectionObserver(([entry]) => { if (entry.isIntersecting) fillNumbers(); }, { rootMargin: "1200px" });
    numbersSeen.observe(box);
  };
  const fillAllNumbers = () => {
    clearTimeout(filling);
    while (panels.nextNumbers(page));
    dim();
  };

  const start = () => {
    const source = document.getElementById("charts");
    // What stands below the panels is shown once they are there: it does not jump.
    document.getElementById("timeline")?.classList.remove("waits");
    if (!source?.textContent) return;
    page = series.read(source.textContent);
    span = Math.max(1, page.end - page.start);
    if (!global.callMetricsFormat.knows(page.zone)) page.zone = "UTC";
    for (const button of all('[data-choice="time"] [data-value="zone"]')) button.toggleAttribute("hidden", page.zone === "UTC");
    // What was chosen stays when a newer build takes the place of the page; it may be ahead of the address.
    state = states.parse(state ? states.format(state) : location.hash, span, page.people.length);
    panels.start(page);
    charts.start(page, state);
    for (const tool of all(".controls, .copy, [data-jump]")) tool.removeAttribute("hidden");
    watchLanes();
    watchNumbers();
    show();
  };

  let wide = innerWidth;
  addEventListener("resize", () => { if (page && innerWidth !== wide) { wide = innerWidth; show(); } });
  addEventListener("hashchange", () => { if (page) recall(); });
  addEventListener("popstate", () => { if (page) recall(); });
  document.addEventListener("themechange", () => { if (page) charts.update(state); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (page) charts.update(state); });
  document.addEventListener("toggle", (event) => {
    if (!page || !(event.target instanceof Element)) return;
    if (event.target.matches(".others")) lanes();
    if (event.target.matches(".rest")) { panels.fillMore(page, event.target); times(); dim(); }
  }, true);
  // Paper is light.
  /** @type {string | undefined} */
  let screenTheme;
  addEventListener("beforeprint", () => {
    if (!page) return;
    tip.hide();
    screenTheme = document.documentElement.dataset.theme ?? "auto";
    document.documentElement.dataset.theme = "light";
    fillAllNumbers();
    charts.all();
  });
  addEventListener("afterprint", () => {
    if (screenTheme === undefined) return;
    if (screenTheme === "auto") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = screenTheme;
    screenTheme = undefined;
    charts.update(state);
  });
  // A page on disk asks nobody for a newer build. When it was written is the file's to tell: a time inside it would change with each build.
  const written = document.getElementById("written");
  if (written && location.protocol === "file:") {
    const at = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" }).format(new Date(document.lastModified));
    written.textContent = ` · written ${at}`;
  }
  // refresh.js put a newer build of this page in place, and scrolls to where the reader was: everything has to be there.
  document.addEventListener("reportchange", () => { start(); if (page) fillAllNumbers(); });
  start();
})();
