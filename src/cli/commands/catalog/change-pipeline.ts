/** `shipinator pipeline rename` and `… remove`. */
import type { PipelineDetail } from "../../../services/index.ts";
import { asData, type CommandContext, writeData } from "../../context.ts";
import { EXIT } from "../../errors.ts";
import { withClient } from "../../session.ts";
import { sanitizeName } from "../../terminal/sanitize.ts";

const titleOf = ({ project, name }: PipelineDetail) => `${sanitizeName(project)}/${sanitizeName(name)}`;

export async function renamePipelineCommand(
  context: CommandContext,
  reference: string,
  name: string,
): Promise<number> {
  return await withClient(context, async ({ client }) => {
    const before = await client.pipelines.get(reference);
    const pipeline = await client.pipelines.update(before.id, { name });
    if (asData(context)) await writeData(context, pipeline);
    else
      context.out.write(
        `Renamed pipeline ${titleOf(before)} to ${sanitizeName(pipeline.name)}, also in its runs.\n`,
      );
    return EXIT.done;
  });
}

export async function removePipelineCommand(context: CommandContext, reference: string): Promise<number> {
  return await withClient(context, async ({ client }) => {
    const pipeline = await client.pipelines.get(reference);
    const history = await client.list({ pipeline_id: pipeline.id, limit: 1 });
    await client.pipelines.remove(pipeline.id);
    if (asData(context)) await writeData(context, pipeline);
    else {
      const kept = history.items.length > 0 ? " Its runs stay until retention deletes them." : "";
      context.out.write(`Removed pipeline ${titleOf(pipeline)}. Its name is free.${kept}\n`);
    }
    return EXIT.done;
  });
}
