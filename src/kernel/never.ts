/** Ends a switch over a union. The compiler rejects a missing member, and a value outside of the types throws. */
export function assertNever(value: never, kind: string): never {
  throw new Error(`Unexpected ${kind}: ${JSON.stringify(value)}.`);
}
