// @ts-check
// Keeps an open page of the report fresh: asks the server now and then for this very page, and when a newer build answers
// puts it in place, leaving scroll position, focus and zoom where they are. A page opened from disk has nobody to ask.
// A classic script: a report opened from disk cannot load modules.
"use strict";

(() => {
  const HOUR_MS = 3_600_000;
  const DAY_MS = 24 * HOUR_MS;

  /** How old what is on show is, from an hour on: a page opened from disk may have lain there for long. */
  const age = () => {
    const built = document.getElementById("built");
    const said = document.getElementById("built-age");
    if (!(built instanceof HTMLTimeElement) || !said) return;
    const old = Date.now() - Date.parse(built.dateTime);
    const [n, unit] = old < 2 * DAY_MS ? [Math.floor(old / HOUR_MS), "hour"] : [Math.floor(old / DAY_MS), "day"];
    said.textContent = n >= 1 ? `, ${n} ${unit}${n === 1 ? "" : "s"} ago` : "";
  };
  age();

  if (!location.protocol.startsWith("http")) return;
  const INTERVAL_MS = 4000;
  /** After failures, this much longer each time, up to a minute. */
  const SLOWER = 2;
  const INTERVAL_MS_MAX = 60_000;
  let wait = INTERVAL_MS;
  /** One failure may be chance. */
  const FAILURES_TOLD = 2;
  let failures = 0;
  let answeredAt = Date.now();

  /** Says so where nobody answers; it has its place before it has words, so that screen readers hear of it. */
  const silence = document.createElement("p");
  silence.className = "silence-told";
  silence.setAttribute("role", "status");
  document.body.append(silence);
  const tell = () => {
    const since = new Date(answeredAt).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const text = failures < FAILURES_TOLD ? "" : `No answer from the server since ${since}. What is shown may be old.`;
    if (silence.textContent !== text) silence.textContent = text;
  };

  const main = () => /** @type {HTMLElement} */ (document.getElementById("report"));

  /** Puts a newer build in the place of the one on show. @param {Document} next */
  const replace = (next) => {
    const fresh = next.getElementById("report");
    if (!fresh) return;
    // Other scripts and styles: only the browser can load those. It keeps the scroll position on a reload.
    if (fresh.dataset.assets !== main().dataset.assets) return location.reload();
    const { scrollX, scrollY } = window;
    const place = focusPlace();
    const open = new Set(folds(main()).filter(([, fold]) => fold.open).map(([key]) => key));
    for (const [key, fold] of folds(fresh)) if (open.has(key)) fold.open = true;
    main().replaceWith(document.adoptNode(fresh));
    document.title = next.title;
    document.dispatchEvent(new Event("reportchange"));
    age();
    window.scrollTo(scrollX, scrollY);
    const focused = place?.();
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  };

  /**
   * What can be folded open, by the section that it is in.
   * @param {Element} within @returns {[string, HTMLDetailsElement][]}
   */
  const folds = (within) => [...within.querySelectorAll("details")]
    .map((fold) => [`${fold.closest("[aria-labelledby]")?.getAttribute("aria-labelledby")} ${fold.className}`, fold]);

  /**
   * Where the focus is: an id, the address of a link, or else positions among siblings. Rows of a table move when a newer one comes.
   * @returns {(() => Element | null | undefined) | undefined} finds it again
   */
  const focusPlace = () => {
    let element = /** @type {Element | null} */ (document.activeElement);
    if (!element || !main().contains(element)) return undefined;
    const { id } = element;
    const href = element.getAttribute("href");
    if (id) {
      const caret = element instanceof HTMLInputElement && element.type === "search" ? [element.selectionStart, element.selectionEnd] : undefined;
      return () => {
        const again = document.getElementById(id);
        if (caret && again instanceof HTMLInputElement) again.setSelectionRange(caret[0], caret[1]);
        return again;
      };
    }
    /** @type {number[]} */
    const path = [];
    for (; element && element !== main(); element = element.parentElement) path.unshift([...(element.parentElement?.children ?? [])].indexOf(element));
    return () => (href === null ? null : main().querySelector(`a[href="${CSS.escape(href)}"]`)) ?? path.reduce((/** @type {Element | undefined} */ at, nth) => at?.children[nth], main());
  };

  const look = async () => {
    if (document.visibilityState === "hidden") return;
    // Answered with 304 and no body while nothing changed.
    const answer = await fetch(location.pathname, { cache: "no-cache", headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const text = await answer.text();
    if (text.includes(`data-digest="${main().dataset.digest}"`)) return;
    replace(new DOMParser().parseFromString(text, "text/html"));
  };

  const again = async () => {
    try {
      await look();
      wait = INTERVAL_MS;
      failures = 0;
      answeredAt = Date.now();
    } catch {
      // The server is away, or the page is: what is on show stays.
      wait = Math.min(wait * SLOWER, INTERVAL_MS_MAX);
      failures += 1;
    }
    tell();
    age();
    setTimeout(again, wait);
  };
  setTimeout(again, wait);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") look().catch(() => {}); });
})();
