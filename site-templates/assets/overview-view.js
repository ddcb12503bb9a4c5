// @ts-check
// What a reader does with the table of all calls: sort, search, filter, copy a link, save. All of it stands in the address, so
// that the back button undoes it. Rows come from the page as they are; only those on show are in the document, however many
// calls there are. Of a long log the older calls are in scripts of their own: what is searched and sorted by is loaded at once,
// rows when they are to be shown. A classic script: a report opened from disk cannot load modules, nor anything but scripts.
"use strict";

(() => {
  const global = /** @type {any} */ (globalThis);
  const states = global.callMetricsOverview;
  const exporter = global.callMetricsExport;
  const saving = global.callMetricsSaving;
  /** Rows that are put into the document at once; more of them a frame later. */
  const SLICE = 200;
  /** The same where the page is a newer one: what was scrolled to should be there. */
  const SLICE_AGAIN = 800;
  /** More rooms than this are searched for, not picked from a list. */
  const ROOMS_MAX = 1000;
  const SAID_MS = 1500;
  /** What is called neither small nor large, in the order of up and down. @type {Record<string, [string, string]>} */
  const ORDERS = { started: ["Oldest", "Newest"], room: ["A", "Z"], issue: ["A", "Z"], score: ["Worst", "Best"] };

  /** @type {any} */
  let page;
  /** @type {any} */
  let state;
  /** Rows in the order of all calls; as text what was not on show yet, nothing where it is not loaded. @type {(HTMLTableRowElement | string | undefined)[]} */
  let rows = [];
  /** Stretches of time before the calls of the page: places of their calls in `rows`, the script that holds these, and whether it is there or never will be. @type {{from: number, n: number, rows: string, isSettled: boolean}[]} */
  let older = [];
  /** Scripts that were asked for, and what they handed over; null for those that are not there. @type {Map<string, Promise<any[] | null>>} */
  const loads = new Map();
  /** @type {WeakMap<Element, any[]>} */
  const handed = new WeakMap();
  /** What has come of them. @type {Map<string, any[] | null>} */
  const inHand = new Map();
  /** Whether older calls are on their way. */
  let isLoading = false;
  /** Calls whose rows could not be loaded. */
  let lostRows = 0;
  const mould = document.createElement("template");
  /** Calls on show. @type {any[]} */
  let found = [];
  /** Of the drawing that goes on: a newer one ends it. */
  let drawing = 0;
  let scrolledLeft = 0;
  let isOpen = false;

  /** @template {HTMLElement} T @param {string} id @returns {T} */
  const by = (id) => /** @type {T} */ (document.getElementById(id));
  /** @template {Element} T @param {string} selector @returns {T[]} */
  const all = (selector) => /** @type {T[]} */ ([...document.querySelectorAll(selector)]);

  /** A script of older calls calls this. @param {any[]} items */
  global.callMetricsOlder = (items) => {
    if (document.currentScript) handed.set(document.currentScript, items);
  };
  /** @param {string} path @returns {Promise<any[] | null>} */
  const load = (path) => {
    const known = loads.get(path);
    if (known) return known;
    const loading = new Promise((/** @type {(items: any[] | null) => void} */ resolve) => {
      const script = document.createElement("script");
      const done = () => {
        script.remove();
        inHand.set(path, handed.get(script) ?? null);
        resolve(handed.get(script) ?? null);
      };
      script.addEventListener("load", done);
      script.addEventListener("error", done);
      script.src = path;
      document.head.append(script);
    });
    loads.set(path, loading);
    return loading;
  };
  /** @param {string} path */
  const forget = (path) => {
    loads.delete(path);
    inHand.delete(path);
  };

  /** A new choice: shown, and kept in the address. @param {any} change @param {boolean} [settle] one of a quick series: the last one counts */
  const choose = (change, settle = false) => {
    // Another choice begins with few rows.
    state = { ...state, rows: states.ROWS, ...change };
    show();
    if (settle) rememberSoon(); else remember();
  };
  const { address, letGo, remember, rememberSoon } = global.callMetricsAddress.keeper(() => states.format(state));
  const recall = () => {
    if (!page) return;
    const asked = states.parse(location.hash, page);
    if (states.format(asked) === states.format(state)) return;
    letGo();
    state = asked;
    show();
  };

  /** Everything that shows a choice. */
  const show = (/** @type {number | undefined} */ first = undefined) => {
    found = states.shown(page.calls, state);
    draw(first);
    controls();
    heads();
    days();
  };

  /** The stretch of days that is summed up. A link may name one that this report is too short for. */
  const days = () => {
    const blocks = /** @type {HTMLElement[]} */ (all("[data-of-period]"));
    const ids = blocks.map((block) => block.dataset.ofPeriod);
    const id = ids.includes(state.period) ? state.period : ids[0];
    for (const block of blocks) block.hidden = block.dataset.ofPeriod !== id;
    for (const link of /** @type {HTMLElement[]} */ (all("a[data-period]"))) {
      if (link.dataset.period === id) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    }
  };

  /** @param {number} [first] rows that are drawn at once */
  const draw = (first = SLICE) => {
    const body = by("calls-body");
    const now = ++drawing;
    const asked = found.slice(0, state.rows);
    const missing = older.filter((stretch) => !stretch.isSettled && asked.some((call) => stretch.from <= call.at && call.at < stretch.from + stretch.n));
    by("calls-none").hidden = found.length > 0;
    by("calls-scroll").hidden = found.length === 0;
    by("calls-rest").hidden = found.length <= state.rows;
    by("calls-drawn").textContent = `${Math.min(state.rows, found.length)} of ${found.length} rows`;
    by("calls-scroll").setAttribute("aria-busy", String(missing.length > 0));
    if (missing.length > 0) {
      // What was there until now stays until then: an empty table says that there is nothing.
      Promise.all(missing.map(loadRows)).then(() => {
        if (now === drawing) draw(first);
        lost();
      });
      return;
    }
    const wanted = asked.flatMap((call) => {
      const row = rowAt(call.at);
      return row ? [clocked(row, call)] : [];
    });
    body.replaceChildren(...wanted.slice(0, first));
    const more = (/** @type {number} */ from) => {
      if (now !== drawing || from >= wanted.length) return;
      body.append(...wanted.slice(from, from + SLICE));
      requestAnimationFrame(() => more(from + SLICE));
    };
    requestAnimationFrame(() => more(first));
  };

  /** @param {{from: number, n: number, rows: string, isSettled: boolean}} stretch */
  const loadRows = async (stretch) => {
    await load(stretch.rows);
    // Of a page that is on show no more, nothing.
    if (older.includes(stretch)) putRows(stretch);
  };

  /** Puts the rows of a stretch among all. @param {{from: number, n: number, rows: string, isSettled: boolean}} stretch */
  const putRows = (stretch) => {
    if (stretch.isSettled) return;
    stretch.isSettled = true;
    const texts = inHand.get(stretch.rows);
    for (const [nth, text] of (texts ?? []).entries()) rows[stretch.from + nth] ??= text;
    if (!texts) lostRows += stretch.n;
  };

  /** Says how many calls could not be loaded. */
  const lost = () => {
    const element = document.getElementById("calls-lost");
    const n = isLoading ? 0 : page.lost + lostRows;
    const text = n === 0 ? "" : `${n} older ${n === 1 ? "call" : "calls"} could not be loaded. If the report was built anew meanwhile, reload the page; if it was copied, copy its folder "older" too.`;
    if (!element || element.textContent === text) return;
    element.hidden = text === "";
    element.textContent = text;
    by("find-told").textContent = text;
  };

  /** @param {number} at @returns {HTMLTableRowElement | undefined} */
  const rowAt = (at) => {
    const row = rows[at];
    if (typeof row !== "string") return row;
    // Text of the page's own builder, in which names are escaped.
    mould.innerHTML = row;
    const made = /** @type {HTMLTableRowElement} */ (mould.content.querySelector("tr"));
    rows[at] = made;
    return made;
  };

  /** Rows beyond the first: text where the browser read the page, elements where refresh.js did. @returns {(HTMLTableRowElement | string)[]} */
  const furtherRows = () => {
    const more = document.getElementById("calls-more");
    if (!more) return [];
    const end = "</tr>";
    const found = more.firstElementChild ? [...more.querySelectorAll("tbody tr")].map((row) => /** @type {HTMLTableRowElement} */ (row))
      : (more.textContent ?? "").split("<tbody>")[1].split(end).slice(0, -1).map((row) => row + end);
    more.remove();
    return found;
  };

  /** The row, with the time that is asked for. @param {HTMLTableRowElement} row @param {any} call */
  const clocked = (row, call) => {
    const time = row.querySelector("time");
    if (time && call.start !== null) {
      time.dataset.there ??= time.textContent ?? "";
      const text = state.time === "" ? time.dataset.there : states.localTime(call.start);
      if (time.textContent !== text) time.textContent = text;
    }
    return row;
  };

  /** Whose times and days these are. */
  const clocks = () => {
    const there = by("calls-zone").dataset.zone ?? "";
    const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "your time";
    // A link may ask for the reader's own times; where those are the report's there is nothing to choose.
    by("calls-time").hidden = here === there;
    by("calls-zone").textContent = state.time === "" ? there : here;
    for (const button of all("[data-time]")) button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).dataset.time === state.time));
  };

  const controls = () => {
    clocks();
    lost();
    const said = states.told(found.length, page.calls.length) + (isLoading ? ", older ones are being loaded" : "");
    if (by("calls-said").textContent !== said) by("calls-said").textContent = said;
    const set = (/** @type {string} */ id, /** @type {string} */ value) => {
      const control = /** @type {HTMLInputElement} */ (by(id));
      if (control.value !== value) control.value = value;
    };
    set("find-text", state.text);
    set("find-from", state.from);
    set("find-to", state.to);
    // Rooms are told apart by their place among all: a value of ours, whatever they are called.
    const room = page.rooms.indexOf(state.room);
    if (room >= ROOMS_MAX && !document.querySelector(`#find-room option[value="${room + 1}"]`)) by("find-room").append(roomOption(state.room, room));
    set("find-room", room < 0 ? "" : String(room + 1));
    set("find-issue", state.issue);
    set("find-sort", state.sort);
    const [least, most] = ORDERS[state.sort] ?? ["Smallest", "Largest"];
    by("find-order").textContent = state.up ? `↑ ${least} first` : `↓ ${most} first`;
    const counts = states.counts(page.calls, state);
    for (const button of all("[data-quality]")) {
      const quality = /** @type {HTMLElement} */ (button).dataset.quality ?? "";
      button.setAttribute("aria-pressed", String(state.quality.includes(quality)));
      const count = button.querySelector(".count");
      if (count) count.textContent = String(counts[quality]);
    }
    const filtered = states.filters(state);
    by("find-clear").hidden = !filtered;
    by("find-more").classList.toggle("on", filtered);
    for (const button of all("[data-do=csv], [data-do=json]")) button.toggleAttribute("disabled", found.length === 0);
  };

  const heads = () => {
    for (const head of all("th[data-sort]")) {
      const isIt = /** @type {HTMLElement} */ (head).dataset.sort === state.sort;
      if (isIt) head.setAttribute("aria-sort", state.up ? "ascending" : "descending"); else head.removeAttribute("aria-sort");
    }
  };

  /** @param {string} value @param {string} text */
  const option = (value, text) => {
    const one = document.createElement("option");
    [one.value, one.textContent] = [value, text];
    return one;
  };
  /** An option holds text alone: invisible marks keep a name's direction to itself. @param {string} room @param {number} at */
  const roomOption = (room, at) => option(String(at + 1), room.trim() === "" ? "(no name)" : `\u2068${room}\u2069`);

  /** Heads become buttons, what needs scripts is shown. */
  const furnish = () => {
    const sort = by("find-sort");
    for (const head of /** @type {HTMLElement[]} */ (all("th[data-sort]"))) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.id = `sort-${head.dataset.sort}`;
      button.append(...head.childNodes);
      head.append(button);
      sort.append(option(head.dataset.sort ?? "", head.textContent?.trim() ?? ""));
    }
    for (const control of all(".only-script")) control.removeAttribute("hidden");
  };

  /** What can be picked: the first entry of each list is the template's. */
  const lists = () => {
    const issues = new Set(page.calls.flatMap((/** @type {any} */ call) => call.issues));
    const types = page.types.filter((/** @type {[string, string]} */ [id]) => issues.has(id));
    for (const id of ["find-issue", "find-room"]) by(id).replaceChildren(...[...by(id).children].slice(0, 1));
    by("find-issue").append(...types.map((/** @type {[string, string]} */ [id, title]) => option(id, title)), option("none", "no issue"));
    by("find-room").append(...page.rooms.slice(0, ROOMS_MAX).map(roomOption));
  };

  /** On a phone filters lie behind a button. @param {HTMLElement} button */
  const opened = (button) => {
    by("find").classList.toggle("open", isOpen);
    button.setAttribute("aria-expanded", String(isOpen));
  };

  /** Says on the button that it is done. @param {HTMLElement} button @param {string} word */
  const done = (button, word) => {
    button.dataset.said ??= button.textContent ?? "";
    button.textContent = word;
    by("find-told").textContent = word;
    setTimeout(() => { button.textContent = button.dataset.said ?? ""; }, SAID_MS);
  };

  /** @type {Record<string, (button: HTMLButtonElement) => void>} */
  const DO = {
    link: (button) => {
      remember();
      saving.copy(address()).then(() => done(button, "Copied"));
    },
    csv: () => saving.save("calls.csv", new Blob([exporter.csv(states.table(found))], { type: "text/csv" })),
    json: () => saving.save("calls.json", new Blob([`${JSON.stringify(states.json(found, page.calls.length), null, 1)}\n`], { type: "application/json" })),
    clear: () => {
      choose(states.cleared(state));
      by("find-text").focus();
    },
    order: () => choose({ up: !state.up }),
    more: () => {
      const last = by("calls-body").lastElementChild;
      choose({ rows: state.rows * 2 });
      // On with the keyboard where the new rows begin, when there is nothing more to ask for.
      if (by("calls-rest").hidden) /** @type {HTMLElement | null} */ (last?.querySelector("a"))?.focus({ preventScroll: true });
    },
    filters: (button) => {
      isOpen = !isOpen;
      opened(button);
    },
  };

  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    for (const menu of all("details.more[open]")) if (!menu.contains(target)) menu.removeAttribute("open");
    if (!page) return;
    // Of an <a> in a drawing too, which has no `hash`.
    const link = target.closest?.("a[data-calls], a[data-period]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      const asked = states.parse(link.getAttribute("href") ?? "", page);
      if (link.hasAttribute("data-period")) choose({ period: asked.period });
      else {
        // A link to some of the calls: to the table with them. Days of a chart are the report's.
        choose({ ...asked, period: state.period, time: asked.from ? "" : state.time });
        by("calls").scrollIntoView();
        by("calls-title").focus({ preventScroll: true });
      }
      return;
    }
    const button = /** @type {HTMLButtonElement | null} */ (target.closest?.("button"));
    if (!button) return;
    const head = /** @type {HTMLElement | null} */ (button.closest("th[data-sort]"));
    if (head) choose(states.sorted(state, head.dataset.sort));
    else if (button.dataset.time !== undefined) choose({ time: button.dataset.time });
    else if (button.dataset.quality) choose({ quality: states.toggled(state.quality, button.dataset.quality) });
    else if (button.dataset.do) {
      DO[button.dataset.do]?.(button);
      const menu = button.closest("details.more");
      if (menu && button.dataset.do !== "link") {
        menu.removeAttribute("open");
        /** @type {HTMLElement | null} */ (menu.querySelector("summary"))?.focus();
      }
    }
  });

  /** @type {Record<string, (value: string) => void>} */
  const FIND = {
    "find-text": (text) => choose({ text: states.searchable(text) }, true),
    "find-from": (from) => choose({ from }, true),
    "find-to": (to) => choose({ to }, true),
    "find-room": (place) => choose({ room: page.rooms[Number(place) - 1] ?? null }),
    "find-issue": (issue) => choose({ issue }),
    "find-sort": (sort) => choose(states.sorted({ ...state, sort: "" }, sort)),
  };
  document.addEventListener("input", (event) => {
    const control = /** @type {HTMLInputElement} */ (event.target);
    if (page) FIND[control.id]?.(control.value);
  });
  document.addEventListener("keydown", (event) => {
    const menu = document.querySelector("details.more[open]");
    if (event.key === "Escape" && menu) {
      menu.removeAttribute("open");
      /** @type {HTMLElement | null} */ (menu.querySelector("summary"))?.focus();
    }
  });
  document.addEventListener("scroll", (event) => {
    if (event.target instanceof Element && event.target.id === "calls-scroll") scrolledLeft = event.target.scrollLeft;
  }, { capture: true, passive: true });

  const start = () => {
    const source = document.getElementById("calls-data");
    if (!source?.textContent) return;
    /** @type {Data} */
    const data = JSON.parse(source.textContent);
    const paths = new Set(data.older.flatMap((stretch) => [stretch.calls, stretch.rows]));
    // What was not there may be by now.
    for (const path of [...loads.keys()]) if (!paths.has(path) || inHand.get(path) === null) forget(path);
    // The page at once, with what an older build of it has loaded; the rest when it comes.
    const isAgain = state !== undefined;
    const awaited = data.older.filter((stretch) => !inHand.has(stretch.calls));
    understand(data, awaited.length > 0);
    rows = [.../** @type {HTMLTableRowElement[]} */ (all("#calls-body tr")), ...furtherRows()];
    let from = data.calls.length;
    older = data.older.map(({ n, rows: script }) => {
      from += n;
      return { from: from - n, n, rows: script, isSettled: false };
    });
    lostRows = 0;
    for (const stretch of older) if (inHand.has(stretch.rows)) putRows(stretch);
    // What was chosen stays when a newer build takes the place of the page; typing may be ahead of the address.
    state = states.parse(isAgain ? states.format(state) : location.hash, page);
    furnish();
    lists();
    opened(by("find-more"));
    show(isAgain ? SLICE_AGAIN : SLICE);
    by("calls-scroll").scrollLeft = scrolledLeft;
    if (awaited.length === 0) return;
    const before = states.format(state);
    Promise.all(awaited.map((stretch) => load(stretch.calls))).then(() => {
      if (!source.isConnected) return;
      understand(data, false);
      // A link may name a room that was not known yet; what somebody has chosen meanwhile counts.
      const isAsBefore = states.format(state) === before && !isAgain;
      state = states.parse(isAsBefore ? location.hash : states.format(state), page);
      lists();
      show();
    });
  };

  /** @typedef {{calls: any[][], types: [string, string][], older: {n: number, calls: string, rows: string}[]}} Data */
  /** Takes the calls of the page and of what is in hand. @param {Data} data @param {boolean} isWaiting for more */
  const understand = (data, isWaiting) => {
    page = states.read(data.calls, data.types, data.older.map(({ n, calls }) => ({ n, calls: inHand.get(calls) ?? null })));
    isLoading = isWaiting;
  };

  addEventListener("hashchange", recall);
  addEventListener("popstate", recall);
  // refresh.js put a newer build of this page in place.
  document.addEventListener("reportchange", start);
  start();
})();
