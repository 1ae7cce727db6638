/** What is known of trees, which never change: asked of git once. */
export interface Memo<T> {
  /** What `make` gave for the key when it was first asked; an error is not kept. */
  once(key: string, make: () => Promise<T>): Promise<T>;
}

/**
 * @param most answers that are kept, the oldest going first
 * @param isSmall whether an answer is worth its memory
 */
export function createMemo<T>(most: number, isSmall: (answer: T) => boolean = () => true): Memo<T> {
  const answers = new Map<string, { readonly answer: T }>();
  return {
    async once(key, make) {
      const known = answers.get(key);
      if (known !== undefined) return known.answer;
      const answer = await make();
      if (!isSmall(answer)) return answer;
      const [oldest] = answers.size >= most ? answers.keys() : [];
      if (oldest !== undefined) answers.delete(oldest);
      answers.set(key, { answer });
      return answer;
    },
  };
}
