import { sanitizeKeepingColors, sanitizeName, sanitizeText } from "../../../src/cli/terminal/sanitize.ts";
import { itReadsHostileText } from "../../support/hostile-text.ts";

itReadsHostileText({
  "text on a terminal": sanitizeText,
  "a name on a terminal": sanitizeName,
  "colours on a terminal": sanitizeKeepingColors,
});
