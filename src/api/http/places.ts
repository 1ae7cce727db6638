/** Counts what callers hold open, so that neither one of them nor all together hold too much. */
export interface PlaceLimits {
  readonly perCaller: number;
  readonly inAll: number;
}

export interface Places {
  readonly count: number;
  /** Occupies a place; the function releases it, once. Null: the caller's places or all of them are taken. */
  acquire(caller: string): (() => void) | null;
}

export function createPlaces({ perCaller, inAll }: PlaceLimits): Places {
  const open = new Map<string, number>();
  let total = 0;

  function release(caller: string): void {
    const left = (open.get(caller) ?? 1) - 1;
    if (left === 0) open.delete(caller);
    else open.set(caller, left);
    total -= 1;
  }

  return {
    get count() {
      return total;
    },
    acquire(caller) {
      const own = open.get(caller) ?? 0;
      if (own >= perCaller || total >= inAll) return null;
      open.set(caller, own + 1);
      total += 1;
      let isHeld = true;
      return () => {
        if (isHeld) release(caller);
        isHeld = false;
      };
    },
  };
}
