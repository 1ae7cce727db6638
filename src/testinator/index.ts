export { testinator } from "./testinator.ts";
