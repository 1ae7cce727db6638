import { explainGit, looksCorrupt } from "../../../src/source/git/problem.ts";
import { checkRef } from "../../../src/source/git/ref.ts";
import { checkUrl, isSameHost, isSshAddress, resolveSubmoduleUrl } from "../../../src/source/git/url.ts";
import { itReadsHostileText, itReadsHostileTextThoroughly } from "../../support/hostile-text.ts";

const policy = { allowHttp: true, allowLocal: true };

itReadsHostileText({
  "an address": (text) => checkUrl(text, policy),
  "two addresses": (text) => [isSameHost(text, text), isSshAddress(text)],
  "a ref": checkRef,
  "git's errors": (text) => explainGit({ stderr: `error: ${text}`, code: 1 }, "it"),
  "git's errors, looked through": looksCorrupt,
});

itReadsHostileTextThoroughly({
  "a submodule's address": (text) => resolveSubmoduleUrl(text, `../${text}`),
});
