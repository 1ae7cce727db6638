export type { CliDeps, Files, Writer } from "./deps.ts";
export { createFiles, readUpTo } from "./files.ts";
export { createProgram } from "./program.ts";
export { createStyle } from "./terminal/style.ts";
export { createWriter } from "./writer.ts";
