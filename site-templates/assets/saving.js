// @ts-check
// What a page gives away: a file to save, text to paste. A classic script: a report opened from disk cannot load modules.
"use strict";

(() => {
  /** Addresses of blobs live until the browser has begun to save them. */
  const SAVED_AFTER_MS = 10_000;

  /** @param {string} name @param {Blob} blob */
  const save = (name, blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), SAVED_AFTER_MS);
  };

  /** @param {string} text */
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Plain http on a name of the local network has no clipboard of that kind.
      const box = document.createElement("textarea");
      box.value = text;
      document.body.append(box);
      box.select();
      document.execCommand("copy");
      box.remove();
    }
  };

  Object.assign(globalThis, { callMetricsSaving: { save, copy } });
})();
