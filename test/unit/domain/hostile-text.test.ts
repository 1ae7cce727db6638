import { parseTemplate } from "../../../src/domain/index.ts";
import { itReadsHostileText } from "../../support/hostile-text.ts";

itReadsHostileText({
  "a template": parseTemplate,
});
