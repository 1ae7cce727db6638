/** Ctrl-C and SIGTERM: the first asks, the second insists, the third ends the command where it stands. */
import type { CliDeps } from "./deps.ts";
import { EXIT } from "./errors.ts";

export interface Interrupts {
  /** Aborts at the first. */
  readonly asked: AbortSignal;
  /** Aborts at the second. */
  readonly insisted: AbortSignal;
}

/**
 * One press may arrive more than once: the terminal signals the whole foreground group, and a launcher, npm or a
 * supervisor in it forwards what it got. A person is slower than this, so what comes within it is the same press.
 */
const SAME_PRESS_MS = 200;

/**
 * Runs a command's work under interrupts. @param patience how many of them the work handles itself; one more and the
 * command ends at once with 130, the work left as it is.
 */
export async function withInterrupts(
  deps: Pick<CliDeps, "onInterrupt" | "clock">,
  patience: 1 | 2,
  work: (interrupts: Interrupts) => Promise<number>,
): Promise<number> {
  const asked = new AbortController();
  const insisted = new AbortController();
  const out = Promise.withResolvers<number>();
  let seen = 0;
  let counted = Number.NEGATIVE_INFINITY;
  const off = deps.onInterrupt(() => {
    const now = deps.clock.monotonic();
    if (now - counted < SAME_PRESS_MS) return;
    counted = now;
    seen += 1;
    if (seen > patience) out.resolve(EXIT.interrupted);
    else if (seen === 1) asked.abort();
    else insisted.abort();
  });
  try {
    return await Promise.race([work({ asked: asked.signal, insisted: insisted.signal }), out.promise]);
  } catch (error) {
    // What was being done ended because it was told to.
    if (asked.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    off();
  }
}
