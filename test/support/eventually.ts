/** The one poll of the tests, for what nothing notifies them of. */
import { setTimeout as delay } from "node:timers/promises";

interface Pace {
  /** Between two calls. */
  readonly everyMs?: number;
  readonly patienceMs?: number;
}

/**
 * Calls `check` until it neither throws nor returns false, and returns what it returned. A test that fails takes the whole
 * patience; one that passes never depends on it.
 * @throws what `check` threw last, or an error that shows `check`
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { everyMs = 5, patienceMs = 30_000 }: Pace = {},
): Promise<Exclude<T, false>> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const isLate = performance.now() > deadline;
    try {
      const result = await check();
      if (result !== false) return result as Exclude<T, false>;
    } catch (error) {
      if (isLate) throw error;
    }
    if (isLate) throw new Error(`This did not become true within ${patienceMs / 1000} s: ${check}`);
    await delay(everyMs);
  }
}
