/**
 * One pass per key at a time. A request during a pass makes exactly one more pass follow, however many ask; it resolves
 * when a pass that started after the request has ended. So 200 completions of one run take one connection, not 200.
 */
export interface Coalescer<K, T = void> {
  request(key: K): Promise<T>;
  /** Resolves when no pass is under way or due: of these keys, or of all. How passes end is their requesters' matter. */
  idle(keys?: Iterable<K>): Promise<void>;
}

interface Entry<T> {
  readonly running: Promise<T>;
  next: Promise<T> | undefined;
}

export function createCoalescer<K, T = void>(pass: (key: K) => Promise<T>): Coalescer<K, T> {
  const entries = new Map<K, Entry<T>>();

  function start(key: K): Promise<T> {
    const over = Promise.withResolvers<T>();
    const running = over.promise.finally(() => {
      if (entries.get(key) === entry && entry.next === undefined) entries.delete(key);
    });
    const entry: Entry<T> = { running, next: undefined };
    // In place before the pass begins: what the pass itself asks for at once must follow it, not accompany it.
    entries.set(key, entry);
    pass(key).then(over.resolve, over.reject);
    return entry.running;
  }

  return {
    request(key) {
      const entry = entries.get(key);
      if (entry === undefined) return start(key);
      entry.next ??= entry.running.then(
        () => start(key),
        () => start(key),
      );
      return entry.next;
    },
    async idle(keys) {
      const asked = keys === undefined ? undefined : [...keys];
      for (;;) {
        const busy = (asked ?? [...entries.keys()]).flatMap((key) => entries.get(key) ?? []);
        if (busy.length === 0) return;
        await Promise.allSettled(busy.map((entry) => entry.next ?? entry.running));
      }
    },
  };
}
