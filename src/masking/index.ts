/** Secrets in logs: what they may look like there, and how they are covered. Pure; it stands in a program of its own. */
export { createMask, type Mask } from "./mask.ts";
export { maskPatterns } from "./patterns.ts";
