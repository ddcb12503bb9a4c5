// @ts-check
// Keeps what a reader has chosen in the address of the page: the back button undoes it, and a copied link shows the same.
// A classic script: a report opened from disk cannot load modules.
"use strict";

(() => {
  /** Of a quick series, as of letters or of turns of the wheel, the last one is a step of the history. */
  const SETTLE_MS = 400;

  /** @param {() => string} format what is chosen now, as a hash without its #; empty for what everybody sees first */
  const keeper = (format) => {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let settling;
    const address = () => {
      const hash = format();
      return location.href.replace(/#.*/, "") + (hash ? `#${hash}` : "");
    };
    /** What was to be kept soon is not. */
    const letGo = () => clearTimeout(settling);
    // Setting `location.hash` would be told as a "hashchange" later, and what was chosen until then taken back by it.
    const remember = () => {
      letGo();
      if (address() !== location.href) history.pushState(null, "", address());
    };
    const rememberSoon = () => {
      letGo();
      settling = setTimeout(remember, SETTLE_MS);
    };
    return { address, letGo, remember, rememberSoon };
  };

  Object.assign(globalThis, { callMetricsAddress: { keeper } });
})();
