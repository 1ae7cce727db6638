/**
 * Tokens of remote executions: HMAC-SHA256 of execution and attempt with the installation's key. Every server of the
 * installation can verify them, and none is stored.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { join } from "node:path";
import { brandId, type ExecutionId, isId } from "../../kernel/index.ts";
import { makePrivateFile, type PrivateFile, readPrivateFile, unusable } from "./private-file.ts";

export interface ExecutionName {
  readonly executionId: ExecutionId;
  readonly attempt: number;
}

export interface ExecutionTokens {
  /** Makes a token, `she_…`. @throws Problem data_dir_unusable */
  of(name: ExecutionName): string;
  /** Verifies a token. Null if it is not of this installation. @throws Problem data_dir_unusable */
  read(token: string): ExecutionName | null;
}

const shape =
  /^she_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})_(\d{1,9})_([A-Za-z0-9_-]{43})$/;

/** @param given configured key, 32 bytes in base64; null: use `callback-key` in the data directory */
export function createExecutionTokens(dataDir: string, given: string | null): ExecutionTokens {
  const path = join(dataDir, "callback-key");
  const file: PrivateFile = {
    path,
    subject: `The key of callbacks in ${path} is not used`,
    content: "the key",
    remedy: "Restore the file (0600). Or remove it; running remote executions are then not recognized.",
  };
  let known: Buffer | null = given === null ? null : Buffer.from(given, "base64");

  function readKey(): Buffer {
    if (known !== null) return known;
    if (readPrivateFile(file) === null) makePrivateFile(file, `${randomBytes(32).toString("base64")}\n`);
    const text = readPrivateFile(file)?.trim() ?? "";
    if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) throw unusable(file, "it contains no valid key");
    known = Buffer.from(text, "base64");
    return known;
  }

  const mac = ({ executionId, attempt }: ExecutionName) =>
    createHmac("sha256", readKey()).update(`shipinator execution ${executionId} ${attempt}`).digest();

  return {
    of: (name) => `she_${name.executionId}_${name.attempt}_${mac(name).toString("base64url")}`,
    read(token) {
      const [, id, attempt, proof] = shape.exec(token) ?? [];
      if (id === undefined || proof === undefined || !isId(id)) return null;
      const name = { executionId: brandId<ExecutionId>(id), attempt: Number(attempt) };
      return timingSafeEqual(mac(name), Buffer.from(proof, "base64url")) ? name : null;
    },
  };
}
