import { maskPatterns } from "../../../src/masking/index.ts";
import { itReadsHostileTextThoroughly } from "../../support/hostile-text.ts";

itReadsHostileTextThoroughly({
  // A secret is written in some fifty forms, so a fifth of the text is as much work as the others have.
  "a secret": (text) => maskPatterns([text.slice(0, 20_000)]),
});
