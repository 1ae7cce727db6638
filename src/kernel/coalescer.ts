/**
 * Runs one pass per key at a time. Requests during a pass share exactly one further pass, so 200 completions of one run
 * take one connection, not 200. A request resolves when a pass that started after it has ended.
 */
export interface Coalescer<K, T = void> {
  request(key: K): Promise<T>;
  /** Resolves when no pass of these keys, or of any key, is running or requested. Ignores how the passes end. */
  idle(keys?: Iterable<K>): Promise<void>;
}

interface Entry<T> {
  /** The pass that follows the running one; null: nobody has requested it. */
  next: PromiseWithResolvers<T> | null;
  ended: Promise<void>;
}

export function createCoalescer<K, T = void>(pass: (key: K) => Promise<T>): Coalescer<K, T> {
  const entries = new Map<K, Entry<T>>();

  async function drain(key: K, entry: Entry<T>): Promise<void> {
    while (entry.next !== null) {
      const { resolve, reject } = entry.next;
      entry.next = null;
      try {
        resolve(await pass(key));
      } catch (error) {
        reject(error);
      }
    }
    entries.delete(key);
  }

  return {
    request(key) {
      const entry = entries.get(key);
      if (entry !== undefined) {
        entry.next ??= Promise.withResolvers<T>();
        return entry.next.promise;
      }
      const first = Promise.withResolvers<T>();
      // The entry is in place before the pass begins: a request of the pass itself follows it.
      const fresh: Entry<T> = { next: first, ended: Promise.resolve() };
      entries.set(key, fresh);
      fresh.ended = drain(key, fresh);
      return first.promise;
    },
    async idle(keys) {
      const wanted = keys === undefined ? undefined : [...keys];
      for (;;) {
        const busy = (wanted ?? [...entries.keys()]).flatMap((key) => entries.get(key) ?? []);
        if (busy.length === 0) return;
        await Promise.all(busy.map(({ ended }) => ended));
      }
    },
  };
}
