export { deployinator, releaseName } from "./deployinator.ts";
