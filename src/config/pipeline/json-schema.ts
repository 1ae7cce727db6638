/** The JSON Schema of `.shipinator.yaml` for editors. It checks less than the parser and never contradicts it. */
import { z } from "zod";
import { extensionPrefix, pipelineSchema } from "./schema.ts";

/** Creates the schema as draft 7, which editors support best for YAML. */
export function pipelineJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(pipelineSchema(), { io: "input", target: "draft-7" });
  return {
    $schema,
    $id: "urn:shipinator:pipeline-file",
    title: "Shipinator pipeline file",
    description: "The .shipinator.yaml of a repository: its build, test and deploy.",
    ...rest,
    patternProperties: {
      [`^${extensionPrefix}`]: { description: "Ignored. Use it for YAML anchors." },
    },
    anyOf: ["build", "test", "deploy"].map((stage) => ({ required: [stage] })),
  };
}
