/**
 * Stands between an orchestrator and what it calls, so that a test can count its calls, wait until it is quiet, and
 * freeze it at any call, as a stopped process is: before the call is made, or before its answer is read.
 */
import { setImmediate as turn } from "node:timers/promises";

export interface Gate {
  /** The same object; each of its calls passes this gate. `hanging` calls may stay unanswered in a quiet process. */
  through<T extends object>(target: T, name: string, hanging?: readonly string[]): T;
  /** Freezes when so many more gates (one before, one after each call) have been passed; 0: at once. */
  freezeAfter(passes: number): void;
  /** Lets go of all that was frozen or held. */
  thaw(): void;
  readonly frozen: boolean;
  /** Resolves when no call is under way, or all that are wait for the thaw, and none follows. */
  quiet(): Promise<void>;
  /** Calls by name, as `runs.apply`. */
  readonly calls: ReadonlyMap<string, number>;
  /** The next call of that name stops here, on the way in or out, until it is released. */
  hold(name: string, side: "before" | "after"): Held;
  /** The next call of that name fails: before or after it is made. */
  fail(name: string, side: "before" | "after", error: Error): void;
  /** Hears what each call was answered, frozen or not. */
  onAnswer(listener: (name: string, value: unknown) => void): void;
}

export interface Held {
  /** The call has come here. */
  readonly reached: Promise<void>;
  release(): void;
}

export function createGate(): Gate {
  const calls = new Map<string, number>();
  let left = Number.POSITIVE_INFINITY;
  let ice: PromiseWithResolvers<void> | null = null;
  let underWay = 0;
  let count = 0;
  const holds = new Set<() => void>();
  const traps = new Map<string, () => Promise<void>>();
  let hear: (name: string, value: unknown) => void = () => {};

  async function pass(): Promise<void> {
    if (ice === null && left-- <= 0) ice = Promise.withResolvers();
    while (ice !== null) {
      underWay--;
      await ice.promise;
      underWay++;
    }
  }

  async function spring(name: string, side: "before" | "after"): Promise<void> {
    const trap = traps.get(`${side} ${name}`);
    if (trap === undefined) return;
    traps.delete(`${side} ${name}`);
    underWay--;
    try {
      await trap();
    } finally {
      underWay++;
    }
  }

  async function call(name: string, hanging: boolean, make: () => Promise<unknown>): Promise<unknown> {
    calls.set(name, (calls.get(name) ?? 0) + 1);
    count++;
    underWay++;
    try {
      await pass();
      await spring(name, "before");
      if (hanging) underWay--;
      try {
        const value = await make();
        hear(name, value);
        await spring(name, "after");
        return value;
      } finally {
        if (hanging) underWay++;
        await pass();
      }
    } finally {
      underWay--;
    }
  }

  const gate: Gate = {
    through: (target, name, hanging = []) =>
      new Proxy(target, {
        get(of, key, receiver) {
          const value: unknown = Reflect.get(of, key, receiver);
          if (typeof value !== "function" || typeof key !== "string") return value;
          return (...values: unknown[]) => {
            // What answers at once cannot be frozen.
            if (synchronous.has(key)) return Reflect.apply(value, of, values);
            return call(`${name}.${key}`, hanging.includes(key), () => Reflect.apply(value, of, values));
          };
        },
      }),
    freezeAfter(passes) {
      left = passes;
      if (passes === 0) ice ??= Promise.withResolvers();
    },
    thaw() {
      left = Number.POSITIVE_INFINITY;
      ice?.resolve();
      ice = null;
      for (const release of holds) release();
    },
    get frozen() {
      return ice !== null;
    },
    async quiet() {
      for (let still = 0, seen = -1; still < 3; ) {
        await turn();
        still = underWay === 0 && seen === count ? still + 1 : 0;
        seen = count;
      }
    },
    calls,
    hold(name, side) {
      const reached = Promise.withResolvers<void>();
      const gone = Promise.withResolvers<void>();
      holds.add(gone.resolve);
      traps.set(`${side} ${name}`, () => {
        reached.resolve();
        return gone.promise;
      });
      return { reached: reached.promise, release: gone.resolve };
    },
    fail(name, side, error) {
      traps.set(`${side} ${name}`, () => Promise.reject(error));
    },
    onAnswer(listener) {
      hear = listener;
    },
  };
  return gate;
}

const synchronous = new Set(["watch", "unsupported"]);
