/** `shipinator artifacts RUN`: the artifacts of a run. */
import type { ArtifactDetail } from "../../../services/index.ts";
import { asData, type CommandContext, note, writeData } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { withClient } from "../../session.ts";
import { formatSize } from "../../terminal/format.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";
import { type Column, renderTable } from "../../terminal/table.ts";

const columns = (exact: "exact" | "rounded"): readonly Column<ArtifactDetail>[] => [
  { header: "NAME", shrinkTo: 8, text: ({ name }) => sanitizeName(name) },
  { header: "TYPE", text: ({ artifact_type }) => artifact_type },
  {
    header: "SIZE",
    align: "right",
    text: ({ size }) => (exact === "exact" ? String(size) : formatSize(size)),
  },
  { header: "ID", text: ({ id }) => id },
  { header: "DIGEST", shrinkTo: 14, text: ({ checksum }) => `sha256:${checksum}` },
];

export async function artifactsCommand(context: CommandContext, which: string): Promise<number> {
  const { out, style } = context;
  return await withClient(context, async ({ client }) => {
    const run = await client.get(which);
    if (asData(context)) await writeData(context, run.artifacts);
    else if (run.artifacts.length === 0) note(context, "This run has no artifacts.");
    else {
      const shape = columns(out.isTTY ? "rounded" : "exact");
      out.write(renderTable(shape, run.artifacts, { style, width: out.isTTY ? out.columns : null }));
    }
    return EXIT.done;
  });
}
