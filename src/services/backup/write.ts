/** Makes a backup: the tables of one moment, and the files that they speak of. It may be made while all goes on. */
import { dirname, join, relative } from "node:path";
import { brandId, type ExecutionId, Problem } from "../../kernel/index.ts";
import { type LogStore, timesFile } from "../../logs/index.ts";
import type { DatabaseSnapshot, TableShape } from "../../store/index.ts";
import { type ArchiveWriter, type NewEntry, writeArchive } from "./archive-writer.ts";
import { mirrorEntries, openFile, slices } from "./files.ts";
import { type BackupEntry, type BackupHeader, contentsName, headerName } from "./format.ts";

export interface BackupRequest {
  readonly snapshot: DatabaseSnapshot;
  readonly artifactPath: string;
  readonly logs: Pick<LogStore, "prepare" | "read" | "size">;
  /** Directory that the logs lie in. */
  readonly logPath: string;
  readonly mirrorPath: string;
  readonly program: string;
  readonly now: Date;
  readonly signal: AbortSignal;
}

export interface BackupSummary {
  readonly artifacts: number;
  readonly logs: number;
  /** A sentence for each recorded file that is missing or changed; the backup contains the rest. */
  readonly damage: readonly string[];
}

export interface NewBackup {
  /** To be read once. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Summarizes the entries read so far. */
  summary(): BackupSummary;
}

const pieceBytes = 4 << 20;

export function makeBackup(request: BackupRequest): NewBackup {
  const { snapshot, program, now, signal } = request;
  const counts = { artifacts: 0, logs: 0 };
  const damage: string[] = [];

  async function fill(archive: ArchiveWriter): Promise<void> {
    const entries: BackupEntry[] = [];
    const add = async (entry: NewEntry): Promise<BackupEntry> => {
      signal.throwIfAborted();
      const added = await archive.file(entry);
      entries.push(added);
      return added;
    };
    const header: BackupHeader = {
      format: 1,
      program,
      created_at: now.toISOString(),
      postgres: snapshot.serverVersion,
      migrations: [...snapshot.migrations],
      tables: snapshot.tables.map(({ name, columns }) => ({ name, columns: [...columns] })),
    };
    await add(json(headerName, header));
    for (const table of snapshot.tables) await addTable(add, snapshot, table);
    const [artifacts, executions] = [await snapshot.artifacts(), await snapshot.executions()];
    // The files need no snapshot: they never change but to grow.
    await snapshot[Symbol.asyncDispose]();
    for (const artifact of artifacts) await addArtifact(add, artifact);
    for (const id of executions) await addLog(add, brandId<ExecutionId>(id));
    await addMirrors(archive, add);
    await archive.file(json(contentsName, { entries }));
  }

  async function addArtifact(
    add: (entry: NewEntry) => Promise<BackupEntry>,
    { id, checksum, size }: { readonly id: string; readonly checksum: string; readonly size: number },
  ): Promise<void> {
    for (const part of ["metadata.json", "payload"]) {
      await using file = await openFile(join(request.artifactPath, id, part));
      if (file === null) {
        damage.push(`artifact ${id} is not in the store: its ${part} is missing`);
        continue;
      }
      const added = await add({ name: `artifacts/${id}/${part}`, size: file.size, bytes: file.bytes });
      if (part !== "payload") continue;
      counts.artifacts += 1;
      if (added.sha256 !== checksum || added.size !== size)
        damage.push(`the bytes of artifact ${id} are not those that were stored`);
    }
  }

  async function addLog(add: (entry: NewEntry) => Promise<BackupEntry>, id: ExecutionId): Promise<void> {
    const { logs, logPath } = request;
    const size = await logs.size(id);
    if (size === 0) return;
    const bytes = slices(size, (offset, { length }) => logs.read(id, { offset, length }));
    const place = logs.prepare(id);
    await add({ name: `logs/${relative(logPath, place)}`, size, bytes });
    const beside = join(dirname(place), timesFile);
    await using times = await openFile(beside);
    if (times !== null)
      await add({ name: `logs/${relative(logPath, beside)}`, size: times.size, bytes: times.bytes });
    counts.logs += 1;
  }

  async function addMirrors(
    archive: ArchiveWriter,
    add: (entry: NewEntry) => Promise<BackupEntry>,
  ): Promise<void> {
    for await (const { name, kind } of mirrorEntries(request.mirrorPath)) {
      signal.throwIfAborted();
      if (kind === "directory") {
        await archive.directory(`mirrors/${name}`);
        continue;
      }
      await using file = await openFile(join(request.mirrorPath, name));
      // Null: one that was written aside, and has its own name by now.
      if (file !== null) await add({ name: `mirrors/${name}`, size: file.size, bytes: file.bytes });
    }
  }

  return {
    bytes: writeArchive(fill),
    summary: () => ({ ...counts, damage: [...damage] }),
  };
}

/** In pieces, because the size of an entry must be known before its bytes. */
async function addTable(
  add: (entry: NewEntry) => Promise<BackupEntry>,
  snapshot: DatabaseSnapshot,
  table: TableShape,
): Promise<void> {
  if (!/^[a-z_]+$/.test(table.name)) throw new Problem("internal", `a table is called ${table.name}`);
  let piece: Uint8Array[] = [];
  let size = 0;
  let number = 0;
  const flush = async () => {
    const name = `tables/${table.name}/${String(number++).padStart(6, "0")}`;
    await add({ name, size, bytes: piece });
    piece = [];
    size = 0;
  };
  for await (const chunk of snapshot.copy(table)) {
    piece.push(chunk);
    size += chunk.length;
    if (size >= pieceBytes) await flush();
  }
  if (size > 0) await flush();
}

function json(name: string, value: unknown): NewEntry {
  const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
  return { name, size: bytes.length, bytes: [bytes] };
}
