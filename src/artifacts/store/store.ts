/** Artifact store in one base directory. */
import { constants } from "node:fs";
import fs from "node:fs/promises";
import path from "node:path";
import type { ArtifactMetadata } from "../../domain/index.ts";
import { Problem } from "../../kernel/index.ts";
import { packBundle } from "../archive/bundle.ts";
import { callArtifact, outputRefused, storageFailure } from "../failures.ts";
import { inspectImageArchive } from "../images/archive.ts";
import { bundlePrefix } from "../paths.ts";
import type { ArtifactStore, ArtifactStoreDeps, PutFilesRequest } from "../types.ts";
import { type ByteSource, streamSource } from "./byte-source.ts";
import { openContained, realRoot } from "./contained-file.ts";
import { sha256 } from "./copy.ts";
import { nodeFileSystem } from "./file-system.ts";
import { type Publisher, publish } from "./publish.ts";
import { restore } from "./restore.ts";
import { removeTemporary, temporaryPath, temporaryRoot } from "./temporary.ts";
import { readVerified } from "./verified-read.ts";

export function createArtifactStore(deps: ArtifactStoreDeps): ArtifactStore {
  const files = deps.files ?? nodeFileSystem;
  const { base, log } = deps;
  const writer = { nodeId: deps.nodeId, instance: deps.instance };
  const publisher: Publisher = { ...deps, files, writer, newDigest: sha256 };
  const shelf = { files, base };

  return {
    async put({ source, metadata, ...artifact }, signal) {
      const bytes = "file" in source ? await fileSource(source.file) : streamSource(source);
      return publish(publisher, { ...artifact, source: bytes, describe: async () => metadata }, signal);
    },

    async putFiles(request, signal) {
      const { source, metadata } = await openOutput(request, signal);
      const describe = (payload: string) => describeOutput(request, metadata, payload, signal);
      return publish(publisher, { ...request, source, describe }, signal);
    },

    open: (reference, range, signal) => readVerified(shelf, reference, range, signal),

    async verify(reference, signal) {
      for await (const _ of readVerified(shelf, reference, undefined, signal)) {
        // Reading to the end verifies the bytes.
      }
    },

    restore: (request, signal) => restore(shelf, request, signal),

    async remove(id) {
      const temporary = temporaryPath(base, writer);
      try {
        // Rename first, so that no reader sees half of it.
        await files.makeDirectory(temporaryRoot(base));
        await files.rename(path.join(base, id), temporary).catch(absent);
        await files.remove(temporary);
      } catch (error) {
        throw storageFailure(callArtifact({ id }), "removing it", error);
      }
    },

    async removeTemporary(isAlive) {
      const removed = await removeTemporary(files, base, isAlive);
      if (removed > 0)
        log.info({ component: "artifacts", removed }, "Removed temporary directories of ended writers.");
      return removed;
    },
  };
}

function absent(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
}

/** Reads a file anywhere, which the caller trusts. */
async function fileSource(file: string): Promise<ByteSource> {
  try {
    const handle = await fs.open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await handle.stat();
    if (!stat.isFile()) {
      await handle.close();
      throw outputRefused(file, "it is not a regular file");
    }
    let position = 0;
    return {
      sizeHint: stat.size,
      async fill(target) {
        const { bytesRead } = await handle.read(target, 0, target.length, position);
        position += bytesRead;
        return bytesRead;
      },
      close: () => handle.close(),
    };
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw outputRefused(file, "it cannot be opened", error);
  }
}

async function openOutput(
  { root, files, bundle, declaredPath, owner }: PutFilesRequest,
  signal: AbortSignal | undefined,
): Promise<{ readonly source: ByteSource; readonly metadata: ArtifactMetadata }> {
  const [only] = files;
  if (only === undefined) throw outputRefused(declaredPath, "nothing matches it");
  const workspace = { root: await realRoot(root), ...(owner === undefined ? {} : { owner }) };
  if (bundle) {
    const prefix = bundlePrefix(declaredPath, files);
    const source = streamSource(packBundle({ ...workspace, files, prefix }, signal));
    return { source, metadata: { form: "tar", path: prefix === "" ? "." : prefix, files: files.length } };
  }
  if (files.length > 1)
    throw new Problem("internal", `${declaredPath} has ${files.length} files instead of one.`);
  const source = await openContained(workspace, only);
  return { source, metadata: { form: "file", path: only, mode: source.mode } };
}

/** Checks an image before it becomes visible. The stored bytes are checked, so that no step can change them. */
async function describeOutput(
  request: PutFilesRequest,
  metadata: ArtifactMetadata,
  payload: string,
  signal: AbortSignal | undefined,
): Promise<ArtifactMetadata> {
  if (request.type !== "oci_image") return metadata;
  const { imageDigest } = await inspectImageArchive(payload, request.declaredPath, signal);
  return { ...metadata, imageDigest };
}
