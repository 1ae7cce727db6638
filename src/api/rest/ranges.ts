/** Range requests over bytes (RFC 9110 §14): one range is served, several or malformed ones are answered whole. */
import { Problem } from "../../kernel/index.ts";

export interface Slice {
  readonly start: number;
  /** Not included. */
  readonly end: number;
}

/**
 * The part that is asked for, or null for the whole.
 * @throws Problem range_not_satisfiable
 */
export function requestedSlice(header: string | undefined, size: number): Slice | null {
  const match = /^bytes=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/.exec(header ?? "");
  if (match === null) return null;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return null;
  if (first === "") return suffix(Number(last), size);
  const start = Number(first);
  const end = last === "" ? size : Math.min(size, Number(last) + 1);
  if (last !== "" && Number(last) < start) return null;
  if (start >= size) throw unsatisfiable(header, size);
  return { start, end };
}

function suffix(length: number, size: number): Slice {
  if (length === 0 || size === 0) throw unsatisfiable(`bytes=-${length}`, size);
  return { start: Math.max(0, size - length), end: size };
}

function unsatisfiable(header: string | undefined, size: number): Problem {
  return new Problem("range_not_satisfiable", `The range ${header} lies outside of ${size} bytes.`, {
    details: { size },
  });
}

/** True when `If-None-Match` names this entity tag (weak comparison), or `*`. */
export function matchesTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((one) => {
    const asked = one.trim();
    return asked === "*" || asked.replace(/^W\//, "") === tag;
  });
}
