/** Handles Ctrl-C and SIGTERM: the first cancels, the second forces, the third ends the command immediately. */
import type { CliDeps } from "./deps.ts";
import { EXIT } from "./errors.ts";

export interface Interrupts {
  /** Aborts at the first interrupt. */
  readonly cancel: AbortSignal;
  /** Aborts at the second interrupt. */
  readonly force: AbortSignal;
}

/**
 * Maximum time between signals of one key press. The terminal signals the whole foreground group, and npm or a supervisor
 * in it forwards its signal, so one press can arrive several times.
 */
const SAME_PRESS_MS = 200;

/**
 * Runs a command with interrupts. One interrupt more than the work handles ends the command immediately with 130.
 * @param handled number of interrupts that the work handles
 */
export async function withInterrupts(
  deps: Pick<CliDeps, "onInterrupt" | "clock">,
  handled: 1 | 2,
  work: (interrupts: Interrupts) => Promise<number>,
): Promise<number> {
  const cancel = new AbortController();
  const force = new AbortController();
  const interrupted = Promise.withResolvers<number>();
  let seen = 0;
  let counted = Number.NEGATIVE_INFINITY;
  const off = deps.onInterrupt(() => {
    const now = deps.clock.monotonic();
    if (now - counted < SAME_PRESS_MS) return;
    counted = now;
    seen += 1;
    if (seen > handled) interrupted.resolve(EXIT.interrupted);
    else if (seen === 1) cancel.abort();
    else force.abort();
  });
  try {
    return await Promise.race([work({ cancel: cancel.signal, force: force.signal }), interrupted.promise]);
  } catch (error) {
    // The work failed because it was canceled.
    if (cancel.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    off();
  }
}
