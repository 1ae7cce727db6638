/** Who waits for callbacks hears of each that this process took, and of those that other processes told of. */
import { brandId, type ExecutionId, isId } from "../../kernel/index.ts";

export interface ReportHints {
  tell(id: ExecutionId): void;
  /** A notification's payload. */
  hear(payload: string): void;
  /** Until the signal aborts. The listener must not throw. */
  watch(signal: AbortSignal, listener: (id: ExecutionId) => void): void;
}

export function createReportHints(): ReportHints {
  const listeners = new Set<(id: ExecutionId) => void>();
  const tell = (id: ExecutionId) => {
    for (const listener of listeners) listener(id);
  };
  return {
    tell,
    hear(payload) {
      if (isId(payload)) tell(brandId<ExecutionId>(payload));
    },
    watch(signal, listener) {
      if (signal.aborted) return;
      listeners.add(listener);
      signal.addEventListener("abort", () => listeners.delete(listener), { once: true });
    },
  };
}
