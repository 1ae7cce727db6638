/** Checks names of refs and suggests corrections. Pure. */
import { Problem } from "../../kernel/index.ts";
import { quote } from "./url.ts";

const maxLength = 255;
const fullId = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i;
const shortId = /^[0-9a-f]{7,64}$/i;

/** True for 40 or 64 hex digits. */
export function isCommitId(text: string): boolean {
  return fullId.test(text);
}

/** True for a possible abbreviation of a commit id. */
export function isAbbreviatedId(text: string): boolean {
  return shortId.test(text) && !fullId.test(text);
}

const rules: readonly (readonly [broken: RegExp, fact: string])[] = [
  [/^$/, "is empty"],
  [/^-/, 'begins with "-", which git could read as an option'],
  [/\p{Cc}/u, "contains a control character"],
  [/\s/u, "contains a space"],
  [/\.\./, 'contains ".."'],
  [/@\{/, 'contains "@{"'],
  [/^@$/, 'is "@"; write HEAD'],
  [/[~^:?*[\\]/, "contains one of ~ ^ : ? * [ \\"],
  [/^\/|\/\/|\/$/, "has an empty part between slashes"],
  [/(?:^|\/)\./, 'has a part that begins with "."'],
  [/\.lock(?:\/|$)/, 'has a part that ends in ".lock"'],
  [/\.$/, 'ends in "."'],
];

/**
 * Checks that a branch, tag, `refs/…` or commit id is safe to pass to git.
 * @throws Problem source_refused
 */
export function checkRef(ref: string): string {
  const broken =
    ref.length > maxLength
      ? `has ${ref.length} characters; at most ${maxLength} are accepted`
      : rules.find(([pattern]) => pattern.test(ref))?.[1];
  if (broken === undefined) return ref;
  throw new Problem("source_refused", `The ref ${quote(ref)} ${broken}.`, {
    remedy: "Give the name of a branch or a tag, or a commit id.",
  });
}

export function shortName(ref: string): string {
  return ref.replace(/^refs\/(?:heads|tags)\//, "");
}

/** Splits a full ref name into the parts for templates. */
export function refParts(ref: string | null): {
  ref: string | null;
  branch: string | null;
  tag: string | null;
} {
  return {
    ref,
    branch: ref?.startsWith("refs/heads/") ? shortName(ref) : null,
    tag: ref?.startsWith("refs/tags/") ? shortName(ref) : null,
  };
}

/** Maximum number of names to compare letter by letter. Names with the same beginning come first. */
const compared = 2000;

/** Returns up to three similar names, the most similar first. */
export function suggest(wanted: string, names: readonly string[]): readonly string[] {
  const needle = shortName(wanted).toLowerCase();
  const allowed = Math.max(2, Math.floor(needle.length / 3));
  const near = [...new Set(names)]
    .map((name) => ({ name, lower: name.toLowerCase() }))
    .filter(({ lower }) => Math.abs(lower.length - needle.length) <= allowed || lower.includes(needle));
  if (near.length > compared)
    near.sort((a, b) => sharedStart(b.lower, needle) - sharedStart(a.lower, needle));
  return near
    .slice(0, compared)
    .map(({ name, lower }) => {
      const far = distance(needle, lower);
      return { name, far: lower.includes(needle) ? Math.min(far, allowed) : far };
    })
    .filter(({ far }) => far <= allowed)
    .sort((a, b) => a.far - b.far || a.name.length - b.name.length || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name);
}

function sharedStart(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

export function refNotFound(wanted: string, where: string, names: readonly string[]): Problem {
  const near = suggest(wanted, names);
  const few = names.length > 0 && names.length <= 8 ? `It has: ${names.join(", ")}.` : undefined;
  const remedy =
    near.length > 0
      ? `Did you mean ${near.join(" or ")}?`
      : isAbbreviatedId(wanted)
        ? "A remote repository does not look up shortened commit ids. Give all digits."
        : (few ?? "List what there is with `git ls-remote`.");
  return new Problem("ref_not_found", `There is no branch, tag or commit ${quote(wanted)} in ${where}.`, {
    remedy,
    details: { ref: wanted, suggestions: near },
  });
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
