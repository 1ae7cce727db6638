/** From the bytes of a backup to files in their places and tables that can be loaded. */
import { join } from "node:path";
import type { LoadTable } from "../../store/index.ts";
import { unpack } from "./archive-reader.ts";
import { openFile } from "./files.ts";
import type { BackupEntry } from "./format.ts";

export interface RestoreRequest {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly artifactPath: string;
  readonly logPath: string;
  readonly mirrorPath: string;
  /** The file that holds the tables until they are loaded. */
  readonly tablePath: string;
  readonly signal: AbortSignal;
}

export interface RestoredFiles {
  readonly createdAt: string;
  readonly program: string;
  readonly migrations: readonly string[];
  /** Each to be read once, in this order. */
  readonly tables: readonly LoadTable[];
  readonly artifacts: number;
  readonly logs: number;
}

/**
 * All of it is there and as it was written when this resolves; else what was unpacked is worth nothing.
 * @throws Problem config_invalid, storage_failed
 */
export async function restoreFiles(request: RestoreRequest): Promise<RestoredFiles> {
  const { artifactPath, logPath, mirrorPath, tablePath } = request;
  const places = { artifacts: artifactPath, logs: logPath, mirrors: mirrorPath, tables: tablePath };
  const { header, entries } = await unpack(request.bytes, places, request.signal);
  const counted = (pattern: RegExp) => entries.filter(({ name }) => pattern.test(name)).length;
  return {
    createdAt: header.created_at,
    program: header.program,
    migrations: header.migrations,
    tables: header.tables.map((table) => ({ ...table, rows: rowsOf(table.name, entries, tablePath) })),
    artifacts: counted(/^artifacts\/.*\/payload$/),
    logs: counted(/^logs\/.*\/\d{20}$/),
  };
}

async function* rowsOf(
  table: string,
  entries: readonly BackupEntry[],
  tablePath: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (const { name } of entries) {
    if (!name.startsWith(`tables/${table}/`)) continue;
    await using file = await openFile(join(tablePath, name.slice("tables/".length)));
    if (file !== null) yield* file.bytes;
  }
}
