export { type EmbeddedOptions, type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded.ts";
export { makeDirectory } from "./make-directory.ts";
