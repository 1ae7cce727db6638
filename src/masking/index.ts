/** Secrets in logs: what they may look like there, and how they are covered. Pure; it stands in a program of its own too. */
export { type CompiledMask, compileMask, createMask, type Mask, type MaskState } from "./mask.ts";
export { maskPatterns } from "./patterns.ts";
