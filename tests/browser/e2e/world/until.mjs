// Waiting for a state, with a deadline. Nothing in these tests sleeps for a fixed time.

/**
 * What `look` says as soon as it says something truthy. A `look` that throws has not seen it yet; the last reason is told
 * when time is up.
 */
export async function until(what, look, { withinMs = 15_000, everyMs = 50 } = {}) {
  const deadline = Date.now() + withinMs;
  let seen;
  for (;;) {
    try {
      seen = await look();
      if (seen) return seen;
    } catch (cause) {
      seen = cause;
    }
    if (Date.now() > deadline) {
      throw new Error(`not within ${withinMs / 1000} s: ${what}; last seen: ${seen instanceof Error ? seen.message : JSON.stringify(seen)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
