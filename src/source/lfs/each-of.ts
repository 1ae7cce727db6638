const atOnce = 8;

/** Does the work for each, a few at once. The first failure ends the others, which are awaited. */
export async function eachOf<T>(
  items: readonly T[],
  work: (item: T, stop: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const waiting = items.values();
  const worker = async () => {
    for (const item of waiting) {
      if (failed.signal.aborted) return;
      await work(item, failed.signal);
    }
  };
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, async () => {
    try {
      await worker();
    } catch (error) {
      failed.abort(error);
    }
  });
  await Promise.all(workers);
  failed.signal.throwIfAborted();
}
