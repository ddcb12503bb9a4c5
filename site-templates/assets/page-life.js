// @ts-check
// The moments in the life of a page at which beacons have to go out.

/**
 * Wires a client to the life of a page. Both events come when a tab closes, in an order that differs between
 * browsers, and either can be missing: each flushes, and the second finds nothing left to do.
 * @param {{hide(how?: {closing?: boolean}): void, show(): void}} client @param {Document} page @param {Window} frame
 */
export function flushWhenHidden(client, page, frame) {
  page.addEventListener("visibilitychange", () => (page.visibilityState === "hidden" ? client.hide() : client.show()));
  frame.addEventListener("pagehide", () => client.hide({ closing: true }));
  frame.addEventListener("pageshow", () => client.show());
}
