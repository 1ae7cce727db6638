/** Temporary directories, named `<node>-<instance>-<random>`, so that cleanup can remove those of ended writers. */
import { randomBytes } from "node:crypto";
import path from "node:path";
import { brandId, type InstanceId, isId, Problem } from "../../kernel/index.ts";
import type { FileSystem } from "./file-system.ts";

const idLength = 36;
const instanceShape = /^[A-Za-z0-9_-]+$/;
const nameShape = /^-([A-Za-z0-9_-]+)-[0-9a-f]{16}$/;

export interface Writer {
  readonly nodeId: InstanceId;
  readonly instance: string;
}

export const temporaryRoot = (base: string): string => path.join(base, "tmp");

/** Returns a new path in `<base>/tmp`. */
export function temporaryPath(base: string, writer: Writer): string {
  if (!instanceShape.test(writer.instance))
    throw new Problem(
      "internal",
      `${JSON.stringify(writer.instance)} cannot be the name of an artifact writer.`,
    );
  const random = randomBytes(8).toString("hex");
  return path.join(temporaryRoot(base), `${writer.nodeId}-${writer.instance}-${random}`);
}

/** Writer of a temporary directory. Null for a name that this program did not make. */
export function writerOf(name: string): Writer | null {
  const node = name.slice(0, idLength);
  const instance = nameShape.exec(name.slice(idLength))?.[1];
  return isId(node) && instance !== undefined ? { nodeId: brandId<InstanceId>(node), instance } : null;
}

export async function removeTemporary(
  files: FileSystem,
  base: string,
  isAlive: (nodeId: InstanceId, instance: string) => boolean,
): Promise<number> {
  let removed = 0;
  for (const name of await files.list(temporaryRoot(base))) {
    const writer = writerOf(name);
    if (writer === null || isAlive(writer.nodeId, writer.instance)) continue;
    await files.remove(path.join(temporaryRoot(base), name));
    removed += 1;
  }
  return removed;
}
