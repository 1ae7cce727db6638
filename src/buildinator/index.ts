export { buildinator } from "./buildinator.ts";
