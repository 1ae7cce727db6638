/**
 * Runs one call per key at a time. Requests that arrive during a call share exactly one further call, so 200 completions
 * of one run take one connection, not 200. A request resolves when a call that started after it has ended.
 */
export interface Coalescer<K, T = void> {
  request(key: K): Promise<T>;
  /** Resolves when no call for these keys (default: any key) is running or requested. Failed calls count as ended. */
  idle(keys?: Iterable<K>): Promise<void>;
}

interface Entry<T> {
  /** The call that follows the running one; null when nobody has requested it. */
  next: PromiseWithResolvers<T> | null;
  ended: Promise<void>;
}

export function createCoalescer<K, T = void>(work: (key: K) => Promise<T>): Coalescer<K, T> {
  const entries = new Map<K, Entry<T>>();

  async function drain(key: K, entry: Entry<T>): Promise<void> {
    while (entry.next !== null) {
      const { resolve, reject } = entry.next;
      entry.next = null;
      try {
        resolve(await work(key));
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
      // The entry is in place before the call begins, so that a request made by the call itself follows it.
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
