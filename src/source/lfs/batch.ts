/** Parses responses of the batch API of Git LFS. */
import { quote } from "../git/url.ts";
import type { LfsPointer } from "./pointers.ts";
import { malformed, missing, nameOf, rejected } from "./problems.ts";
import { type LfsServer, textValues } from "./server.ts";

export interface Action {
  readonly href: string;
  readonly headers: Readonly<Record<string, string>>;
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

export function messageIn(text: string): string {
  const message = parse(text)?.message;
  return typeof message === "string" ? quote(message) : "";
}

/** Returns the download of each object. */
export function actionsIn(
  text: string,
  batch: readonly LfsPointer[],
  server: LfsServer,
): ReadonlyMap<string, Action> {
  const objects = parse(text)?.objects;
  if (!Array.isArray(objects)) throw malformed(server);
  const byOid = new Map(batch.map((pointer) => [pointer.oid, pointer]));
  const actions = new Map<string, Action>();
  for (const { oid, error, actions: given } of objects.map((one: unknown) => Object(one))) {
    const pointer = byOid.get(oid);
    if (pointer === undefined) continue;
    const { code, message } = Object(error);
    if (error != null && (code === 404 || code === 410))
      throw missing(server, pointer, quote(String(message)));
    if (error != null) throw rejected(server, Number(code), `${nameOf(pointer)}: ${quote(String(message))}`);
    const { href, header } = Object(Object(given).download);
    if (typeof href === "string") actions.set(oid, { href, headers: textValues(header) });
  }
  return actions;
}
