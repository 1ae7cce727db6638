/** `shipinator backup FILE` and `shipinator restore FILE`. */
import { Problem } from "../../../kernel/index.ts";
import { asData, type CommandContext, note, writeData } from "../../context.ts";
import type { OpenBackup } from "../../deps.ts";
import { EXIT } from "../../errors.ts";
import { withInterrupts } from "../../interrupts.ts";
import { count, formatSize } from "../../terminal/format.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";
import { withSpinner } from "../../watch/spinner.ts";

export interface BackupArguments {
  /** `-` for standard output. */
  readonly file: string;
  readonly existing: "never" | "replace";
}

export async function backupCommand(context: CommandContext, args: BackupArguments): Promise<number> {
  const { deps, out, configFile } = context;
  if (args.file === "-" && out.isTTY)
    throw new Problem("usage", "The content of a backup cannot be printed on a terminal.", {
      remedy: "Redirect standard output, or name a file.",
    });
  return await withInterrupts(deps, 1, async ({ cancel }) => {
    const signal = AbortSignal.any([cancel, out.gone]);
    await using backup = await deps.openBackup({ configFile, signal });
    const size = await withSpinner(context, { label: "writing the backup", cancel }, () =>
      args.file === "-" ? toStdout(context, backup) : toFile(context, backup, args),
    ).catch((error: unknown) => {
      // The reader closed stdout. The program reports a failed write at its end.
      if (out.gone.aborted) return 0;
      throw error;
    });
    const { artifacts, logs, damage } = backup.summary();
    for (const sentence of damage) note(context, sentence);
    if (args.file === "-") return EXIT.done;
    if (asData(context))
      await writeData(context, {
        path: args.file,
        size,
        data_directory: backup.dataDir,
        artifacts,
        logs,
        damage,
      });
    else
      out.write(
        `${sanitizeName(args.file)}  ${formatSize(size)}  ${count(artifacts, "artifact")}, ${count(logs, "log")}\n`,
      );
    return EXIT.done;
  });
}

async function toStdout({ out }: CommandContext, { bytes }: OpenBackup): Promise<number> {
  let size = 0;
  for await (const chunk of bytes) {
    out.write(chunk);
    await out.drained();
    size += chunk.length;
  }
  return size;
}

async function toFile(
  { deps }: CommandContext,
  { bytes }: OpenBackup,
  { file: path, existing }: BackupArguments,
): Promise<number> {
  // The file contains logs and artifacts of all projects, so only the owner can read it.
  const file = await deps.files.create({ path, overwrite: existing, mode: 0o600 });
  let size = 0;
  try {
    for await (const chunk of bytes) {
      await file.write(chunk);
      size += chunk.length;
    }
    await file.commit();
  } finally {
    await file.discard();
  }
  return size;
}

export async function restoreCommand(context: CommandContext, file: string): Promise<number> {
  const { deps, out, configFile } = context;
  return await withInterrupts(deps, 1, async ({ cancel }) => {
    const bytes = file === "-" ? deps.stdin() : deps.files.stream(file);
    const restored = await withSpinner(context, { label: "restoring the backup", cancel }, () =>
      deps.restoreBackup({ configFile, bytes, signal: cancel }),
    );
    const { dataDir, createdAt, program, artifacts, logs, unfinished } = restored;
    if (unfinished > 0)
      note(
        context,
        `${count(unfinished, "run")} had not ended at the time of the backup. The next command marks ${unfinished === 1 ? "it" : "them"} as canceled.`,
      );
    if (asData(context))
      await writeData(context, {
        data_directory: dataDir,
        created_at: createdAt,
        program,
        artifacts,
        logs,
        unfinished,
      });
    else
      out.write(
        `${sanitizeName(dataDir)}  as of ${createdAt}  ${count(artifacts, "artifact")}, ${count(logs, "log")}\n`,
      );
    return EXIT.done;
  });
}
