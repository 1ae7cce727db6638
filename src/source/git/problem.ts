/** Explains git's stderr in one sentence. git runs with LC_ALL=C, so its words are known. */
import { Problem, type ProblemCode, shellQuote } from "../../kernel/index.ts";

interface Explanation {
  readonly pattern: RegExp;
  readonly code: ProblemCode;
  readonly fact: (what: string, reason: string) => string;
  readonly remedy?: string | ((stderr: string) => string);
  /** True if a rejected credential can look like this. */
  readonly isCredential?: true;
}

const unreachable = "Check the address and this machine's network, and try again.";

/** The first match wins, so special cases come first. */
const explanations: readonly Explanation[] = [
  {
    pattern: /detected dubious ownership/,
    code: "source_refused",
    fact: (what) => `git refuses to read ${what}, because it belongs to another user of this machine`,
    remedy: (stderr) => {
      const directory = /dubious ownership in repository at '([^\n]*)'/.exec(stderr)?.[1] ?? "DIRECTORY";
      return `If you trust it, allow it once: git config --global --add safe.directory ${shellQuote(directory)}`;
    },
  },
  {
    pattern:
      /transport '[^']*' not allowed|protocol '[^']*' is not (?:allowed|supported)|Unable to find remote helper/,
    code: "source_refused",
    fact: (what) => `The protocol of ${what} is not allowed here`,
    remedy: "Give an https or ssh address.",
  },
  {
    pattern: /No space left on device|Disk quota exceeded/,
    code: "storage_failed",
    fact: (what) => `The disk is full: git could not write all of ${what}`,
    remedy: "Free some space and try again.",
  },
  {
    pattern:
      /Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|returned error: 40[13]/i,
    code: "source_unavailable",
    fact: (what) => `${what} wants credentials, and git has none that it accepts`,
    remedy: "Give the repository a clone credential, or git a credential helper (`git help credentials`).",
    isCredential: true,
  },
  {
    pattern:
      /Permission denied \((?:publickey|password|keyboard)|Host key verification failed|Too many authentication/,
    code: "source_unavailable",
    fact: (what) => `ssh was not let in to ${what}`,
    remedy:
      "Check the ssh key and known_hosts of the account that runs Shipinator: `ssh -T HOST` shows more.",
    isCredential: true,
  },
  {
    pattern: /Could not resolve host|Name or service not known|Temporary failure in name resolution/i,
    code: "source_unavailable",
    fact: (what) => `The host of ${what} is not known to the name service`,
    remedy: unreachable,
  },
  {
    pattern:
      /Connection refused|Connection timed out|Failed to connect|No route to host|Network is unreachable|Operation too slow|Connection reset|early EOF|unexpected disconnect|hung up unexpectedly|SSL|certificate|Empty reply|transfer closed/i,
    code: "source_unavailable",
    fact: (what, reason) => `The host of ${what} cannot be reached: ${reason}`,
    remedy: unreachable,
  },
  {
    // The host has no such repository, so waiting does not help.
    pattern: /[Rr]epository .*not found|does not appear to be a git repository|returned error: 404/,
    code: "source_refused",
    fact: (what) => `There is no git repository at ${what}`,
    remedy: "Check the address; a private repository looks like this too when credentials are missing.",
    isCredential: true,
  },
  {
    pattern: /does not exist|not valid: is this a git repository|No such file or directory/,
    code: "source_unavailable",
    fact: (what) => `There is no git repository at ${what}`,
    remedy: "Check the address; a private repository looks like this too when credentials are missing.",
    isCredential: true,
  },
  {
    pattern: /unknown option|is not a git command|unknown switch|usage: git/,
    code: "environment",
    fact: () => "The installed git is too old",
    remedy: "Install git 2.39 or later.",
  },
];

export function explainGit(
  failed: { readonly stderr: string; readonly code: number },
  what: string,
  credential: string | null = null,
): Problem {
  const reason = firstReason(failed.stderr) ?? `git ended with status ${failed.code}`;
  const lines = withShortLines(failed.stderr);
  const known = explanations.find(({ pattern }) => pattern.test(lines));
  if (known === undefined)
    return new Problem("source_unavailable", `git could not read ${what}: ${reason}.`, {
      details: { git: reason },
    });
  const lent = credential !== null && known.isCredential === true;
  const remedy = lent
    ? "Check that the secret allows reading the repository, or set it again."
    : typeof known.remedy === "function"
      ? known.remedy(failed.stderr)
      : known.remedy;
  const fact = known.fact(what, reason);
  return new Problem(known.code, lent ? `${fact} (with the secret ${credential}).` : `${fact}.`, {
    ...(remedy === undefined ? {} : { remedy }),
    details: { git: reason },
  });
}

/** True if stored objects may be damaged, so fetching them again can help. */
export function looksCorrupt(stderr: string): boolean {
  return /corrupt|bad object|bad tree|unable to read (?:tree|sha1|blob|object|[0-9a-f]{40})|missing (?:blob|tree|commit|object)|loose object|inflate|(?:packfile|pack|index file) .*(?:too small|too short|does not match|cannot|truncated|is invalid)|non-existent|not a tree object|did not receive expected object|pack has \d+ unresolved|cannot read|failed to unpack tree|not a git repository|Could not read(?! (?:username|password))|invalid object|unable to find|not a valid object|error building trees|unable to unpack|object file .* is empty|unable to open object|garbage at end|not our ref/i.test(
    withShortLines(stderr),
  );
}

/** Shortens lines, because a server may send lines of any length and git's words are at the beginning. */
function withShortLines(stderr: string): string {
  return stderr
    .split("\n")
    .map((line) => line.slice(0, 1_000))
    .join("\n");
}

function firstReason(stderr: string): string | undefined {
  const lines = stderr
    .split("\n")
    .map((line) => line.replace(/\p{Cc}/gu, " ").trim())
    .filter((line) => line !== "");
  const line = lines.find((text) => /^(?:fatal|error):/.test(text)) ?? lines.at(-1);
  // The person's `insteadOf` may put a token into an address, which git repeats.
  return line
    ?.replace(/^(?:fatal|error):\s*/, "")
    .replace(/:\/\/[^\s'"]+/g, (address) => `://${address.slice(Math.max(3, address.lastIndexOf("@") + 1))}`)
    .slice(0, 300);
}
