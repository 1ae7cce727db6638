/** A store in a temporary directory, and what tests do with it. */
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import {
  type ArtifactReference,
  type ArtifactStore,
  createArtifactStore,
  type FileSystem,
  nodeFileSystem,
} from "../../../../src/artifacts/index.ts";
import type { ArtifactMetadata, InputArtifact } from "../../../../src/domain/index.ts";
import {
  type ArtifactId,
  type InstanceId,
  newId,
  silentLogger,
  systemClock,
} from "../../../../src/kernel/index.ts";

export const asFile: ArtifactMetadata = { form: "file", path: "bin/app", mode: 0o755 };

export interface Bench extends AsyncDisposable {
  readonly directory: string;
  readonly base: string;
  /** An empty workspace. */
  readonly workspace: string;
  readonly store: ArtifactStore;
  readonly nodeId: InstanceId;
  /** A store on the same base over other storage. */
  over(files: Partial<FileSystem>, minFreeBytes?: number): ArtifactStore;
  putBytes(bytes: Uint8Array, store?: ArtifactStore): Promise<ArtifactReference>;
  /** Files of the workspace by path. */
  write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void>;
  /** Ids that a reader could see, and what is left of writers. */
  visible(): Promise<readonly string[]>;
  temporary(): Promise<readonly string[]>;
}

export async function openBench(): Promise<Bench> {
  const directory = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), "artifacts-")));
  const base = path.join(directory, "store");
  const workspace = path.join(directory, "workspace");
  await fs.mkdir(workspace);
  const nodeId = newId<InstanceId>();
  const shared = { base, nodeId, instance: "i1", clock: systemClock, log: silentLogger };
  const over = (files: Partial<FileSystem>, minFreeBytes = 0) =>
    createArtifactStore({ ...shared, minFreeBytes, files: { ...nodeFileSystem, ...files } });
  const store = createArtifactStore({ ...shared, minFreeBytes: 0 });
  return {
    directory,
    base,
    workspace,
    store,
    nodeId,
    over,
    async putBytes(bytes, into = store) {
      const id = newId<ArtifactId>();
      const source = chunked(bytes, 100_000);
      const { sha256, size } = await into.put({ id, name: "app", type: "binary", metadata: asFile, source });
      return { id, sha256, size, name: "app" };
    },
    async write(files) {
      for (const [name, content] of Object.entries(files)) {
        await fs.mkdir(path.dirname(path.join(workspace, name)), { recursive: true });
        await fs.writeFile(path.join(workspace, name), content);
        // Whatever the umask of whoever runs the tests.
        await fs.chmod(path.join(workspace, name), 0o644);
      }
    },
    visible: async () => (await names(base)).filter((name) => name !== "tmp"),
    temporary: () => names(path.join(base, "tmp")),
    [Symbol.asyncDispose]: () => fs.rm(directory, { recursive: true, force: true }),
  };
}

async function names(directory: string): Promise<readonly string[]> {
  return nodeFileSystem.list(directory);
}

export async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
export const random = (size: number): Uint8Array => randomBytes(size);

export interface Collected {
  readonly bytes: Buffer;
  readonly error: unknown;
}

/** Everything that was released, and how it ended. */
export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Collected> {
  const parts: Uint8Array[] = [];
  try {
    for await (const chunk of chunks) parts.push(Uint8Array.from(chunk));
  } catch (error) {
    return { bytes: Buffer.concat(parts), error };
  }
  return { bytes: Buffer.concat(parts), error: null };
}

/** What Node throws for a failed system call. */
export function systemError(code: string, syscall = "test"): Error {
  return Object.assign(new Error(`${code}: injected, ${syscall}`), { code, syscall });
}

export function asInput(
  reference: ArtifactReference,
  metadata: ArtifactMetadata,
  declared: string | null = metadata.path,
): InputArtifact {
  const { id, sha256: digest, size } = reference;
  return { name: "app", type: "binary", path: declared, artifactId: id, sha256: digest, size, metadata };
}
