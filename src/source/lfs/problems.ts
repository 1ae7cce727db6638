/** Problems with a Git LFS server. */
import { Problem } from "../../kernel/index.ts";
import { quote } from "../git/url.ts";
import type { LfsPointer } from "./pointers.ts";
import type { LfsServer } from "./server.ts";

export const malformed = (server: LfsServer) =>
  new Problem(
    "source_refused",
    `The server of ${quote(server.name)} does not answer like a Git LFS server.`,
    {
      remedy: "Check that the host has Git LFS, or set lfs.url in .lfsconfig.",
    },
  );

export const nameOf = ({ path }: Pick<LfsPointer, "path">) =>
  quote(Buffer.from(path, "latin1").toString("utf8"));

export function missing(server: LfsServer, pointer: LfsPointer, said: string): Problem {
  return new Problem(
    "source_refused",
    `The Git LFS server of ${quote(server.name)} does not have the object ${pointer.oid} of ${nameOf(pointer)} (${said}).`,
    { place: nameOf(pointer), remedy: "Push it: git lfs push --all origin" },
  );
}

export function rejected(server: LfsServer, status: number, said: string): Problem {
  const of = quote(server.name);
  const more = said === "" ? "" : ` (${said})`;
  if (status === 401 || status === 403) {
    const lent = server.lent === null ? "" : ` (with the secret ${server.lent})`;
    return new Problem(
      "source_unavailable",
      `The Git LFS server of ${of} wants credentials, and accepts none of the available ones${lent}${more}.`,
      {
        remedy:
          "Give the repository a clone credential, or git a credential helper (`git help credentials`).",
      },
    );
  }
  if (status === 404)
    return new Problem("source_refused", `There is no Git LFS server at ${of}${more}.`, {
      remedy:
        "Check that the host has Git LFS. A private repository looks like this, too, without credentials.",
    });
  const passing = status === 429 || status >= 500;
  return new Problem(
    passing ? "source_unavailable" : "source_refused",
    `The Git LFS server of ${of} answers ${status}${more}.`,
    passing ? { remedy: "Try again later." } : {},
  );
}
