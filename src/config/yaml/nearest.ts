const maxLength = 64;

/** Finds the candidate that differs from `word` by a typing error, or null when none is similar. */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  if (word.length > maxLength) return null;
  const wanted = normalize(word);
  let best: string | null = null;
  // One error per three letters, and one in a short word.
  let limit = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, normalize(candidate));
    if (distance < limit) {
      best = candidate;
      limit = distance;
    }
  }
  return best;
}

const normalize = (text: string): string => text.toLowerCase().replaceAll("-", "_");

/** Levenshtein distance that counts a swap of neighbouring letters as one. */
function editDistance(one: string, other: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const same = one[i - 1] === other[j - 1];
      let cost = Math.min((row[j - 1] ?? 0) + 1, (last[j] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1])
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[other.length] ?? 0;
}
