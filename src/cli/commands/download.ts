/** `shipinator download ARTIFACT`: a file that is whole and verified, or no file. */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { Problem } from "../../kernel/index.ts";
import type { ArtifactDetail, Client } from "../../services/index.ts";
import { asData, type CommandContext, writeData } from "../context.ts";
import type { Files } from "../deps.ts";
import { EXIT } from "../errors.ts";
import { withReader } from "../session.ts";
import { formatSize } from "../terminal/format.ts";
import { sanitizeName } from "../terminal/sanitize.ts";

export interface DownloadArguments {
  readonly artifact: string;
  /** A file, a directory, `-` for stdout; null is the working directory. */
  readonly to: string | null;
  readonly existing: "never" | "replace";
}

export async function downloadCommand(context: CommandContext, args: DownloadArguments): Promise<number> {
  const { deps, out } = context;
  if (args.to === "-" && out.isTTY)
    throw new Problem("usage", "an artifact's bytes would garble this terminal", {
      remedy: "Redirect stdout, or name a file with --to FILE.",
    });
  return await withReader(context, async ({ client }, signal) => {
    const artifact = await client.artifact(args.artifact);
    if (args.to === "-") {
      for await (const chunk of verified(client, artifact, signal)) {
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

/** The file's own name; a tar and an image's note say by their ending what they are. */
function fileName({ name, metadata }: ArtifactDetail): string {
  // The name comes from a pipeline file: never a way out of the directory.
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
    for await (const chunk of verified(client, artifact, signal)) await file.write(chunk);
    await file.commit();
  } finally {
    await file.discard();
  }
}

/** The bytes as they come; ends in a Problem when they were not the artifact's. */
async function* verified(
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
    throw new Problem("artifact_corrupt", `the bytes received are not those of artifact ${artifact.name}`, {
      remedy: "Nothing was kept. Download it again; if that fails as well, the stored artifact is damaged.",
    });
}
