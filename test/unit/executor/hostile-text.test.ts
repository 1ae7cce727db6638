import { isPattern, literalPrefix } from "../../../src/executor/local/outputs/glob.ts";
import { pathFault } from "../../../src/executor/local/outputs/outputs.ts";
import { itReadsHostileText } from "../../support/hostile-text.ts";

itReadsHostileText({
  "a path of an output": (text) => [pathFault(text), isPattern(text), literalPrefix(text)],
});
