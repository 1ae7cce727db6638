/**
 * What is asked for while a pass is under way is carried out together by the next one, one pass per key at a time. Nobody
 * waits for others to come: a request that finds its key free has a pass of its own begun.
 */
export interface Batches<K, Item, Result> {
  /** Gives what the pass found for it, or rejects as the whole pass did. */
  request(key: K, item: Item): Promise<Result>;
  /** Resolves when no pass is under way or due: of these keys, or of all. How passes end is their requesters' matter. */
  idle(keys?: Iterable<K>): Promise<void>;
}

/**
 * When a pass takes what waits: at once; or after what has come in by now was read, so that what arrives in one turn of
 * the event loop, from many sockets, goes together. That turn costs who is alone nothing to speak of.
 */
export type Start = "at_once" | "after_turn";

export interface BatchesOptions {
  /** Default: at once. */
  readonly start?: Start;
  /** Items of one pass. Default: as many as wait. */
  readonly most?: number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly answer: PromiseWithResolvers<Result>;
}

interface Entry<Item, Result> {
  waiting: Waiting<Item, Result>[];
  over: Promise<void>;
}

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** @param pass gives a result, or the promise of one, for each item, in their order; there is always at least one */
export function createBatches<K, Item, Result>(
  pass: (key: K, items: readonly Item[]) => Promise<readonly (Result | Promise<Result>)[]>,
  { most = Number.POSITIVE_INFINITY, start = "at_once" }: BatchesOptions = {},
): Batches<K, Item, Result> {
  const entries = new Map<K, Entry<Item, Result>>();

  async function drain(key: K, entry: Entry<Item, Result>): Promise<void> {
    while (entry.waiting.length > 0) {
      if (start === "after_turn") await turn();
      await carryOut(key, entry.waiting.splice(0, most));
    }
    entries.delete(key);
  }

  async function carryOut(key: K, batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await pass(
        key,
        batch.map(({ item }) => item),
      );
      if (results.length !== batch.length)
        throw new RangeError(`${batch.length} were asked for, ${results.length} were answered`);
      for (const [index, result] of results.entries()) batch[index]?.answer.resolve(result);
    } catch (error) {
      for (const { answer } of batch) answer.reject(error);
    }
  }

  return {
    request(key, item) {
      const answer = Promise.withResolvers<Result>();
      const entry = entries.get(key);
      if (entry !== undefined) entry.waiting.push({ item, answer });
      else {
        // In place before the pass begins: what the pass itself asks for at once must follow it, not accompany it.
        const fresh: Entry<Item, Result> = { waiting: [{ item, answer }], over: Promise.resolve() };
        entries.set(key, fresh);
        fresh.over = drain(key, fresh);
      }
      return answer.promise;
    },
    async idle(keys) {
      const asked = keys === undefined ? undefined : [...keys];
      for (;;) {
        const busy = (asked ?? [...entries.keys()]).flatMap((key) => entries.get(key) ?? []);
        if (busy.length === 0) return;
        await Promise.all(busy.map(({ over }) => over));
      }
    },
  };
}
