import { withoutTrailing } from "../../../src/kernel/index.ts";
import { itReadsHostileText } from "../../support/hostile-text.ts";

itReadsHostileText({
  "text without its end": (text) => withoutTrailing(text, "/\\"),
});
