export type { CliDeps, Files, Writer } from "./deps.ts";
export { createFiles } from "./files.ts";
export { createProgram } from "./program.ts";
export { createWriter } from "./writer.ts";
