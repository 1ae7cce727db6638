/** Asks an LFS server where files are. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { errorMessage, Problem, type RepositoryId } from "../kernel/index.ts";
import type { LfsPointer } from "./lfs-pointers.ts";
import type { Room } from "./room.ts";
import { isSameHost } from "./url.ts";

export interface LfsRemote {
  readonly endpoint: string;
  /** The repository's address: its credential is shown to no other host. */
  readonly cloneUrl: string;
  readonly credential: RepositoryId | null;
}

export interface LfsDownload {
  readonly oid: string;
  readonly href: string;
  readonly header: Readonly<Record<string, string>>;
}

const answer = z.object({
  objects: z.array(
    z.object({
      oid: z.string(),
      error: z.object({ message: z.string() }).optional(),
      actions: z
        .object({
          download: z.object({ href: z.url(), header: z.record(z.string(), z.string()).optional() }),
        })
        .optional(),
    }),
  ),
});

export async function batchDownloads(
  room: Room,
  remote: LfsRemote,
  pointers: readonly LfsPointer[],
  signal: AbortSignal,
): Promise<readonly LfsDownload[]> {
  const body = JSON.stringify({
    operation: "download",
    transfers: ["basic"],
    objects: pointers.map(({ oid, size }) => ({ oid, size })),
  });
  const post = (authorization: string | null) =>
    fetch(`${remote.endpoint}/objects/batch`, {
      method: "POST",
      headers: {
        accept: "application/vnd.git-lfs+json",
        "content-type": "application/vnd.git-lfs+json",
        ...(authorization === null ? {} : { authorization }),
      },
      body,
      signal,
    });
  const where = `the Git LFS server of ${remote.endpoint}`;
  try {
    const own = await ownCredential(room, remote);
    let response = await post(own);
    if (response.status === 401 && remote.credential === null)
      response = await post(await personsCredential(room, remote.endpoint, signal));
    if (!response.ok) throw new Error(`status ${response.status}`);
    const { objects } = answer.parse(await response.json());
    return pointers.map(({ oid }) => {
      const found = objects.find((one) => one.oid === oid);
      const at = found?.actions?.download;
      if (at === undefined) throw new Error(found?.error?.message ?? `it does not have ${oid}`);
      return { oid, href: at.href, header: at.header ?? {} };
    });
  } catch (error) {
    signal.throwIfAborted();
    throw new Problem(
      "source_unavailable",
      `Git LFS files cannot be fetched from ${where}: ${errorMessage(error)}`,
      {
        remedy: "Check that the files were pushed, and that the repository's credential may read them.",
        cause: error,
      },
    );
  }
}

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

async function ownCredential(room: Room, { endpoint, cloneUrl, credential }: LfsRemote) {
  if (credential === null || room.credentials === null || !isSameHost(endpoint, cloneUrl)) return null;
  const { username, value } = await room.credentials.of(credential);
  return basic(username, value);
}

/** What the person's git has for the address, by its credential helpers. */
async function personsCredential(room: Room, endpoint: string, signal: AbortSignal): Promise<string | null> {
  const { protocol, host, pathname } = new URL(endpoint);
  const stdin = join(room.directory, `.lfs-question-${crypto.randomUUID()}`);
  await writeFile(stdin, `protocol=${protocol.slice(0, -1)}\nhost=${host}\npath=${pathname.slice(1)}\n\n`, {
    mode: 0o600,
  });
  try {
    const call = {
      args: ["credential", "fill"],
      cwd: room.directory,
      stdin,
      limitMs: room.limits.networkMs,
    } as const;
    const { stdout } = await room.git.run({ ...call, config: "person" }, signal);
    const text = stdout.toString("utf8");
    const [user, password] = ["username", "password"].map(
      (key) => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1],
    );
    return user === undefined || password === undefined ? null : basic(user, password);
  } finally {
    await rm(stdin, { force: true });
  }
}
