// @ts-check
// Makes one thing of the three that a failed `join()` rejects with, and of the `error` event.

const CODE = /^[a-z0-9-]{1,64}$/;

/**
 * @param {unknown} reason  a string (the frame did not load), an event `{action:'error', error:{type}}`, an Error, or anything
 * @returns {{code: string, detail: string}}
 */
export function dailyError(reason) {
  if (typeof reason === "string") return { code: "connection-error", detail: reason.slice(0, 500) };
  if (typeof reason !== "object" || reason === null) return { code: "daily-failed", detail: "" };
  const { error, errorMsg, message, type } = /** @type {any} */ (reason);
  const code = [error?.type, type].find((word) => typeof word === "string" && CODE.test(word)) ?? "daily-failed";
  const detail = [error?.msg, errorMsg, error?.message, message].find((text) => typeof text === "string" && text !== "") ?? "";
  return { code, detail: detail.slice(0, 500) };
}

/**
 * The library's script, once it has run. It may be slow, blocked, or the wrong bytes for its hash.
 * @param {HTMLScriptElement | null} script @param {number} timeoutMs
 * @returns {Promise<any>}  the library, or null
 */
export function dailyLibrary(script, timeoutMs) {
  const found = () => /** @type {any} */ (globalThis).Daily ?? /** @type {any} */ (globalThis).DailyIframe ?? null;
  if (found() || !script) return Promise.resolve(found());
  return new Promise((resolve) => {
    const done = () => resolve(found());
    script.addEventListener("load", done, { once: true });
    script.addEventListener("error", done, { once: true });
    setTimeout(done, timeoutMs);
  });
}
