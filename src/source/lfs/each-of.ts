const atOnce = 8;

/** Runs the work for each item, a few concurrently. The first failure stops the others and waits for them. */
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
