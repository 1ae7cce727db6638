/** Finds and masks secrets in logs. Pure: the separate program `mask` runs it. */
export { type CompiledMask, compileMask, createMask, type Mask, type MaskState } from "./mask.ts";
export { maskPatterns } from "./patterns.ts";
