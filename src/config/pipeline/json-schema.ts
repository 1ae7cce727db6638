/** The JSON Schema of `.shipinator.yaml`, for editors. It says less than the parser, and never the contrary. */
import { z } from "zod";
import { extensionPrefix, pipelineSchema } from "./schema.ts";

/** Draft 7, which editors' YAML support understands best. */
export function pipelineJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(pipelineSchema(), { io: "input", target: "draft-7" });
  return {
    $schema,
    $id: "urn:shipinator:pipeline-file",
    title: "Shipinator pipeline file",
    description: "The .shipinator.yaml of a repository: its build, test and deploy.",
    ...rest,
    patternProperties: {
      [`^${extensionPrefix}`]: { description: "Ignored: a place for YAML anchors." },
    },
    anyOf: ["build", "test", "deploy"].map((stage) => ({ required: [stage] })),
  };
}
