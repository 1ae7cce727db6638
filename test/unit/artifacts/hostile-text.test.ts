import { parseImageReference } from "../../../src/artifacts/images/registry.ts";
import { itReadsHostileText } from "../../support/hostile-text.ts";

itReadsHostileText({
  "an image reference": parseImageReference,
});
