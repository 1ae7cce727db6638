/** Moves a finished artifact into place and decides what an error of the rename means. */
import path from "node:path";
import type { ArtifactMetadata } from "../../domain/index.ts";
import { type ArtifactId, type Logger, Problem } from "../../kernel/index.ts";
import { storageFailure } from "../failures.ts";
import type { Copied } from "./copy.ts";
import { type FileSystem, hasCode } from "./file-system.ts";
import { readVerified } from "./verified-read.ts";

interface Placement {
  readonly files: FileSystem;
  readonly base: string;
  readonly log: Logger;
  readonly subject: string;
  readonly temporary: string;
  readonly target: string;
  readonly id: ArtifactId;
  readonly copied: Copied;
}

/**
 * Renames the finished directory into place. An error does not prove that nothing happened: NFS repeats a rename whose
 * reply was lost, which then fails with ENOENT or EEXIST, or another writer was first. So the target decides: our bytes
 * mean success, other bytes a conflict, and no bytes that the rename has failed.
 */
export async function moveIntoPlace(placement: Placement): Promise<void> {
  const { files, base, subject, temporary, target } = placement;
  let adopted = false;
  try {
    await files.rename(temporary, target);
  } catch (error) {
    await reuse(placement, error);
    adopted = true;
    await files.remove(temporary);
  }
  try {
    await files.syncDirectory(base);
  } catch (error) {
    // A reused artifact may belong to another writer, which already has a row for it.
    if (!adopted) await withdraw(placement);
    throw storageFailure(subject, "making it durable, so it is not visible", error);
  }
}

async function reuse(placement: Placement, cause: unknown): Promise<void> {
  const { files, base, subject, target, id, copied } = placement;
  const present = await recorded(files, target);
  if (present === null) throw storageFailure(subject, "moving it into place, so it is not visible", cause);
  if (present.sha256 !== copied.sha256 || present.size !== copied.size)
    throw new Problem(
      "conflict",
      `${subject} is already stored with other bytes (SHA-256 ${present.sha256}).`,
      {
        place: target,
        remedy: "An artifact never changes. Store these bytes under a new id.",
        cause,
      },
    );
  for await (const _ of readVerified({ files, base }, { id, ...copied })) {
    // Reading to the end verifies the stored bytes.
  }
}

/** Reverts a rename that may not survive a power failure. */
async function withdraw({ files, log, temporary, target }: Placement): Promise<void> {
  try {
    await files.rename(target, temporary);
  } catch (error) {
    log.warn({ err: error, target }, "An artifact without a row stays in the store.");
  }
}

/** Reads digest and size from a stored artifact's note. Null if there is no artifact. */
async function recorded(files: FileSystem, target: string): Promise<Copied | null> {
  let text: string;
  try {
    text = await readText(files, path.join(target, "metadata.json"));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return null;
    throw storageFailure(target, "looking at what is stored there", error);
  }
  const note: unknown = JSON.parse(text);
  if (typeof note !== "object" || note === null || !("sha256" in note) || !("size" in note)) return null;
  return { sha256: String(note.sha256), size: Number(note.size) };
}

async function readText(files: FileSystem, file: string): Promise<string> {
  const handle = await files.openForRead(file);
  try {
    const buffer = Buffer.alloc(64 * 1024);
    return buffer.toString("utf8", 0, await handle.read(buffer, 0));
  } finally {
    await handle.close();
  }
}

interface Note {
  readonly publication: { readonly id: ArtifactId; readonly name: string; readonly type: string };
  readonly copied: Copied;
  readonly metadata: ArtifactMetadata;
  readonly createdAt: Date;
}

/** Bytes of metadata.json, for a person who has only the directory. */
export function noteBytes({ publication, copied, metadata, createdAt }: Note): Uint8Array {
  const { id, name, type } = publication;
  const note = { id, name, type, ...copied, created_at: createdAt.toISOString(), metadata };
  return Buffer.from(`${JSON.stringify(note, null, 2)}\n`);
}
