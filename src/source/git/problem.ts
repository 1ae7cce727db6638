/** Turns what git wrote to stderr into one sentence for a person. git runs with LC_ALL=C, so the words are known. */
import { Problem, type ProblemCode, shellQuote } from "../../kernel/index.ts";

interface Explanation {
  readonly pattern: RegExp;
  readonly code: ProblemCode;
  readonly say: (what: string, reason: string) => string;
  readonly remedy?: string | ((stderr: string) => string);
  /** What a credential that is not accepted looks like, too. */
  readonly refuses?: true;
}

const unreachable = "Check the address and this machine's network, and try again.";

/** The first match wins, so that the particular stands before the general. */
const explanations: readonly Explanation[] = [
  {
    pattern: /detected dubious ownership/,
    code: "source_refused",
    say: (what) => `git refuses to read ${what}, because it belongs to another user of this machine`,
    remedy: (stderr) => {
      const directory = /dubious ownership in repository at '([^\n]*)'/.exec(stderr)?.[1] ?? "DIRECTORY";
      return `If you trust it, allow it once: git config --global --add safe.directory ${shellQuote(directory)}`;
    },
  },
  {
    pattern:
      /transport '[^']*' not allowed|protocol '[^']*' is not (?:allowed|supported)|Unable to find remote helper/,
    code: "source_refused",
    say: (what) => `The protocol of ${what} is not allowed here`,
    remedy: "Give an https or ssh address.",
  },
  {
    pattern: /No space left on device|Disk quota exceeded/,
    code: "storage_failed",
    say: (what) => `The disk is full: git could not write all of ${what}`,
    remedy: "Free some space and try again.",
  },
  {
    pattern:
      /Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|returned error: 40[13]/i,
    code: "source_unavailable",
    say: (what) => `${what} wants credentials, and git has none that it accepts`,
    remedy: "Give the repository a clone credential, or git a credential helper (`git help credentials`).",
    refuses: true,
  },
  {
    pattern:
      /Permission denied \((?:publickey|password|keyboard)|Host key verification failed|Too many authentication/,
    code: "source_unavailable",
    say: (what) => `ssh was not let in to ${what}`,
    remedy:
      "Check the ssh key and known_hosts of the account that runs Shipinator: `ssh -T HOST` shows more.",
    refuses: true,
  },
  {
    pattern: /Could not resolve host|Name or service not known|Temporary failure in name resolution/i,
    code: "source_unavailable",
    say: (what) => `The host of ${what} is not known to the name service`,
    remedy: unreachable,
  },
  {
    pattern:
      /Connection refused|Connection timed out|Failed to connect|No route to host|Network is unreachable|Operation too slow|Connection reset|early EOF|unexpected disconnect|hung up unexpectedly|SSL|certificate|Empty reply|transfer closed/i,
    code: "source_unavailable",
    say: (what, reason) => `The host of ${what} cannot be reached: ${reason}`,
    remedy: unreachable,
  },
  {
    // Waiting does not help: the host answers, and has no such repository.
    pattern: /[Rr]epository .*not found|does not appear to be a git repository|returned error: 404/,
    code: "source_refused",
    say: (what) => `There is no git repository at ${what}`,
    remedy: "Check the address; a private repository looks like this too when credentials are missing.",
    refuses: true,
  },
  {
    pattern: /does not exist|not valid: is this a git repository|No such file or directory/,
    code: "source_unavailable",
    say: (what) => `There is no git repository at ${what}`,
    remedy: "Check the address; a private repository looks like this too when credentials are missing.",
    refuses: true,
  },
  {
    pattern: /unknown option|is not a git command|unknown switch|usage: git/,
    code: "environment",
    say: () => "The installed git is too old",
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
    return new Problem("source_unavailable", `git could not read ${what}: ${reason}`, {
      details: { git: reason },
    });
  const lent = credential !== null && known.refuses === true;
  const remedy = lent
    ? "See that the secret opens the repository for reading, and set it anew if not."
    : typeof known.remedy === "function"
      ? known.remedy(failed.stderr)
      : known.remedy;
  const fact = known.say(what, reason);
  return new Problem(known.code, lent ? `${fact} (it was given the secret ${credential})` : fact, {
    ...(remedy === undefined ? {} : { remedy }),
    details: { git: reason },
  });
}

/** True where stored objects, not the request, are at fault: fetching them anew can help. */
export function looksCorrupt(stderr: string): boolean {
  return /corrupt|bad object|bad tree|unable to read (?:tree|sha1|blob|object|[0-9a-f]{40})|missing (?:blob|tree|commit|object)|loose object|inflate|(?:packfile|pack|index file) .*(?:too small|too short|does not match|cannot|truncated|is invalid)|non-existent|not a tree object|did not receive expected object|pack has \d+ unresolved|cannot read|failed to unpack tree|not a git repository|Could not read(?! (?:username|password))|invalid object|unable to find|not a valid object|error building trees|unable to unpack|object file .* is empty|unable to open object|garbage at end|not our ref/i.test(
    withShortLines(stderr),
  );
}

/** What git says stands at the beginning of a line; a server may send lines of any length. */
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
  // A person's `insteadOf` may put a token into an address that git then repeats.
  return line
    ?.replace(/^(?:fatal|error):\s*/, "")
    .replace(/:\/\/[^\s'"]+/g, (address) => `://${address.slice(Math.max(3, address.lastIndexOf("@") + 1))}`)
    .slice(0, 300);
}
