/**
 * Side by side, interleaved: each round runs every contender once, in turn, so that what else the machine does falls on
 * all alike. Medians and ratios are printed; with `--strict` a figure over its limit makes the process exit 1.
 */
export interface Contender {
  readonly name: string;
  /** Gives milliseconds. */
  readonly measure: () => Promise<number>;
}

export interface Comparison {
  readonly title: string;
  readonly rounds: number;
  readonly contenders: readonly Contender[];
  readonly limits: readonly Limit[];
}

/** `subject ≤ most × of` by medians, or `subject ≤ most` milliseconds where `of` is absent. */
export interface Limit {
  readonly subject: string;
  readonly of?: string;
  readonly most: number;
}

export interface Outcome {
  readonly title: string;
  readonly held: number;
  readonly missed: number;
}

export async function compare({ title, rounds, contenders, limits }: Comparison): Promise<Outcome> {
  const samples = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const { name, measure } of contenders) samples.get(name)?.push(await measure());
  console.log(`\n${title} (${rounds} rounds)`);
  for (const [name, values] of samples) {
    const sorted = values.toSorted((a, b) => a - b);
    console.log(
      `  ${name.padEnd(34)} median ${format(median(values))}  min ${format(sorted[0] ?? 0)}  max ${format(sorted.at(-1) ?? 0)}`,
    );
  }
  let missed = 0;
  for (const limit of limits) {
    const value = median(samples.get(limit.subject) ?? []);
    const reached = limit.of === undefined ? value : value / median(samples.get(limit.of) ?? []);
    const holds = reached <= limit.most;
    if (!holds) missed += 1;
    const what = limit.of === undefined ? `${limit.subject}` : `${limit.subject} / ${limit.of}`;
    const [shown, allowed] =
      limit.of === undefined
        ? [format(reached).trim(), format(limit.most).trim()]
        : [`${reached.toFixed(2)}×`, `${Number(limit.most.toFixed(2))}×`];
    console.log(`  ${holds ? "ok  " : "MISS"} ${what}: ${shown} (at most ${allowed})`);
  }
  return { title, held: limits.length - missed, missed };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Milliseconds that each of so many takes until the moment that it gives, by `performance.now()`: their median. */
export async function medianOf(count: number, one: () => Promise<number>): Promise<number> {
  const took: number[] = [];
  for (let left = count; left > 0; left--) {
    const from = performance.now();
    took.push((await one()) - from);
  }
  return median(took);
}

/** Does it so often, that many at once. */
export async function inTurns(count: number, atOnce: number, one: () => Promise<unknown>): Promise<void> {
  let left = count;
  const work = async () => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function format(ms: number): string {
  const text = ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2);
  return `${text.padStart(7)} ms`;
}
