/**
 * A backup is one tar:
 *   backup.json                   the header: what it is of
 *   tables/<table>/<number>       rows in COPY's text form, in pieces, in the order of the header's tables
 *   artifacts/<id>/…, logs/…, mirrors/…   files as they lie below their directories
 *   contents.json                 last: name, size and SHA-256 of all before it, so that its presence is the proof that
 *                                 nothing is missing
 */
import { z } from "zod";
import { Problem } from "../../kernel/index.ts";

export const headerName = "backup.json";
export const contentsName = "contents.json";

const headerSchema = z.strictObject({
  format: z.literal(1),
  /** Version of the program that made it. */
  program: z.string(),
  created_at: z.iso.datetime(),
  /** `server_version_num` of the database. */
  postgres: z.int(),
  migrations: z.array(z.string()).min(1),
  tables: z.array(z.strictObject({ name: z.string(), columns: z.array(z.string()) })),
});

const contentsSchema = z.strictObject({
  entries: z.array(
    z.strictObject({ name: z.string(), size: z.int(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  ),
});

export type BackupHeader = z.output<typeof headerSchema>;
export type BackupContents = z.output<typeof contentsSchema>;
export type BackupEntry = BackupContents["entries"][number];

/** @throws Problem config_invalid */
export const parseHeader = (bytes: Uint8Array): BackupHeader => parse(headerName, headerSchema, bytes);

/** @throws Problem config_invalid */
export const parseContents = (bytes: Uint8Array): BackupContents =>
  parse(contentsName, contentsSchema, bytes);

function parse<T>(name: string, schema: z.ZodType<T>, bytes: Uint8Array): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw notABackup(`its ${name} is no JSON`, error);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw notABackup(`its ${name} is not as expected at ${issue?.path.join(".")}: ${issue?.message}`);
}

export function notABackup(fact: string, cause?: unknown): Problem {
  return new Problem("config_invalid", `this is no whole backup: ${fact}`, {
    remedy: "Nothing was restored. Take another backup.",
    ...(cause === undefined ? {} : { cause }),
  });
}
