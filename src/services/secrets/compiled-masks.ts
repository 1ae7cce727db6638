/** Masks by the values that they cover. Making one takes up to a second, and a log comes in many requests. */
import { createHash } from "node:crypto";
import { type CompiledMask, compileMask, maskPatterns } from "../../masking/index.ts";

/** Maximum size of the values in all cached masks: their tables take up to a few hundred times as much. */
const maxBytes = 262_144;

export interface CompiledMasks {
  of(values: readonly string[]): CompiledMask;
}

export function createCompiledMasks(): CompiledMasks {
  /** By digest, the one used last at the end. */
  const kept = new Map<string, { readonly mask: CompiledMask; readonly bytes: number }>();
  let bytes = 0;

  function remove(digest: string): void {
    bytes -= kept.get(digest)?.bytes ?? 0;
    kept.delete(digest);
  }

  return {
    of(values) {
      const text = JSON.stringify(values.toSorted());
      const digest = createHash("sha256").update(text).digest("hex");
      const found = kept.get(digest) ?? { mask: compileMask(maskPatterns(values)), bytes: text.length };
      remove(digest);
      for (const oldest of [...kept.keys()]) if (bytes + found.bytes > maxBytes) remove(oldest);
      kept.set(digest, found);
      bytes += found.bytes;
      return found.mask;
    },
  };
}
