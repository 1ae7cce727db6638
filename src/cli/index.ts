export type { CliDeps, ClientMode, FileKind, Files, NewFile, PendingFile, Session, Writer } from "./deps.ts";
export { createFiles } from "./files.ts";
export { createProgram, type Program } from "./program.ts";
export { createWriter } from "./writer.ts";
