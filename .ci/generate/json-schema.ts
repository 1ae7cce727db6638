// Prints docs/schema/shipinator.schema.json, for editors, from the schema that checks `.shipinator.yaml`.
import { pipelineJsonSchema } from "../../src/config/pipeline/json-schema.ts";

process.stdout.write(`${JSON.stringify(pipelineJsonSchema(), null, 2)}\n`);
