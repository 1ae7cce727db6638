/** `shipinator download ARTIFACT`: writes a complete and verified file, or no file. */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { Problem } from "../../../kernel/index.ts";
import type { ArtifactDetail, Client } from "../../../services/index.ts";
import { asData, type CommandContext, writeData } from "../../context.ts";
import type { Files } from "../../deps.ts";
import { EXIT } from "../../errors.ts";
import { withClient } from "../../session.ts";
import { formatSize } from "../../terminal/format.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";

export interface DownloadArguments {
  readonly artifact: string;
  /** A file, a directory, `-` for stdout, or null for the working directory. */
  readonly to: string | null;
  readonly existing: "never" | "replace";
}

export async function downloadCommand(context: CommandContext, args: DownloadArguments): Promise<number> {
  const { deps, out } = context;
  if (args.to === "-" && out.isTTY)
    throw new Problem("usage", "The content of an artifact cannot be printed on a terminal.", {
      remedy: "Redirect standard output, or name a file with --to FILE.",
    });
  return await withClient(context, async ({ client }, signal) => {
    const artifact = await client.artifact(args.artifact);
    if (args.to === "-") {
      for await (const chunk of verifiedChunks(client, artifact, signal)) {
        out.write(chunk);
        await out.drained();
      }
      return EXIT.done;
    }
    const path = await targetOf(deps.files, artifact, args.to ?? ".");
    await save({ files: deps.files, client, artifact, path, overwrite: args.existing, signal });
    if (asData(context)) await writeData(context, { ...artifact, path });
    else out.write(`${sanitizeName(path)}  ${formatSize(artifact.size)}  sha256:${artifact.checksum}\n`);
    return EXIT.done;
  });
}

async function targetOf(files: Files, artifact: ArtifactDetail, to: string): Promise<string> {
  const isDirectory = to.endsWith("/") || (await files.kind(to)) === "directory";
  return isDirectory ? join(to, fileName(artifact)) : to;
}

/** The name of the file. A tar and an image reference get an extension. */
function fileName({ name, metadata }: ArtifactDetail): string {
  // The name comes from a pipeline file and must not lead out of the directory.
  const own = basename(metadata.form === "file" ? (metadata.path ?? name) : name).replace(
    /^\.+$/,
    "artifact",
  );
  if (metadata.form === "tar" && !own.endsWith(".tar")) return `${own}.tar`;
  return metadata.form === "image_ref" ? `${own}.json` : own;
}

interface SaveOptions {
  readonly files: Files;
  readonly client: Client;
  readonly artifact: ArtifactDetail;
  readonly path: string;
  readonly overwrite: "never" | "replace";
  readonly signal: AbortSignal;
}

async function save({ files, client, artifact, path, overwrite, signal }: SaveOptions): Promise<void> {
  const mode = artifact.metadata.form === "file" ? (artifact.metadata.mode ?? 0o644) & 0o777 : 0o644;
  const file = await files.create({ path, overwrite, mode });
  try {
    for await (const chunk of verifiedChunks(client, artifact, signal)) await file.write(chunk);
    await file.commit();
  } finally {
    await file.discard();
  }
}

/** Yields the bytes, and throws a Problem at the end when the digest differs. */
async function* verifiedChunks(
  client: Client,
  artifact: ArtifactDetail,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const hash = createHash("sha256");
  for await (const chunk of client.download(artifact.id, signal)) {
    hash.update(chunk);
    yield chunk;
  }
  signal.throwIfAborted();
  if (hash.digest("hex") !== artifact.checksum)
    throw new Problem(
      "artifact_corrupt",
      `The received bytes do not match the digest of artifact ${artifact.name}.`,
      {
        remedy: "Download it again. If that fails too, the stored artifact is damaged. No file was written.",
      },
    );
}
