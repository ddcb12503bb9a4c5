// @ts-check
// What a room may be called, and the nearest name that it may.

export const ROOM_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Letters that Unicode does not take apart into a base letter and a mark. */
const SPELLED_OUT = /** @type {Record<string, string>} */ ({
  "ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "þ": "th", "ı": "i",
});

/**
 * The valid name that looks most like what was typed, or "" when nothing of it can stay. Someone who pastes
 * the address of a room means its last part.
 * @param {string} typed
 */
export function nearestName(typed) {
  const text = typed.trim().replace(/[?#].*$/, "");
  const pasted = /^[a-z]+:\/\/[^/]*\/(.*)$/i.exec(text)?.[1] ?? text;
  return pasted
    .replace(/^\/+|\/+$/g, "")
    .replace(/[^\u0000-\u007f]/g, (letter) => SPELLED_OUT[letter] ?? letter)
    .normalize("NFKD").replace(/\p{M}+/gu, "")
    .replace(/['’]/g, "")
    .replace(/[^A-Za-z0-9_-]+/g, "-")
    .replace(/-{2,}/g, "-")
    .replace(/^-+/, "").slice(0, 64).replace(/-+$/, "");
}

/**
 * @typedef {{ok: true, name: string} | {ok: false, problem: "empty" | "characters" | "too-long" | "reserved", suggestion: string}} Checked
 * @param {string} typed @param {readonly string[]} reserved @returns {Checked}
 */
export function checkName(typed, reserved) {
  const name = typed.trim();
  if (name === "") return { ok: false, problem: "empty", suggestion: "" };
  const free = (/** @type {string} */ wish) => (reserved.includes(wish) ? `${wish}-room`.slice(0, 64) : wish);
  if (reserved.includes(name)) return { ok: false, problem: "reserved", suggestion: free(name) };
  if (ROOM_NAME.test(name)) return { ok: true, name };
  const onlyTooLong = /^[A-Za-z0-9_-]+$/.test(name);
  return { ok: false, problem: onlyTooLong ? "too-long" : "characters", suggestion: free(nearestName(name)) };
}

/** @param {Checked & {ok: false}} checked @param {string} typed  the problem in words, without the suggestion */
export function problemInWords(checked, typed) {
  switch (checked.problem) {
    case "empty": return "Give the room a name.";
    case "reserved": return `“${typed.trim()}” is one of this site's own pages, so no room can have that name.`;
    case "too-long": return "Up to 64 characters.";
    case "characters": return "Letters, digits, - and _ only.";
  }
}
