/** Cache of facts about trees, which never change. */
export interface Cache<T> {
  /** Returns the cached value, or the result of `make`. Errors are not cached. */
  once(key: string, make: () => Promise<T>): Promise<T>;
}

/**
 * @param maxEntries number of cached values; the oldest is removed first
 * @param isSmall true for a value to cache
 */
export function createCache<T>(maxEntries: number, isSmall: (value: T) => boolean = () => true): Cache<T> {
  const values = new Map<string, { readonly value: T }>();
  return {
    async once(key, make) {
      const known = values.get(key);
      if (known !== undefined) return known.value;
      const value = await make();
      if (!isSmall(value)) return value;
      const [oldest] = values.size >= maxEntries ? values.keys() : [];
      if (oldest !== undefined) values.delete(oldest);
      values.set(key, { value });
      return value;
    },
  };
}
