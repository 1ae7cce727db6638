/**
 * Files that Git LFS keeps, by its batch API over http(s), or from the store of a repository on this machine. Nothing of
 * git-lfs need be installed. Every file is checked against the pointer's digest before it is used.
 */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { access, appendFile, copyFile, lstat, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { SourceSpec } from "../domain/index.ts";
import { errorMessage, Problem } from "../kernel/index.ts";
import { batchDownloads, type LfsDownload, type LfsRemote } from "./lfs-batch.ts";
import type { LfsPointer } from "./lfs-pointers.ts";
import { type Mirror, privatePlace, unusable } from "./mirror.ts";
import { callIn } from "./person-repository.ts";
import type { Room } from "./room.ts";
import { remoteOf } from "./submodule-addresses.ts";
import { checkUrl, quote } from "./url.ts";

/** Puts the files in the place of their pointers. What was fetched once stays in the mirror. */
export async function fetchLfsFiles(
  room: Room,
  mirror: Mirror,
  spec: SourceSpec,
  pointers: readonly LfsPointer[],
  target: string,
  signal?: AbortSignal,
): Promise<void> {
  const store = join(mirror.path, "lfs");
  await mkdir(store, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw unusable(store, error);
  });
  const missing = new Map<string, LfsPointer>();
  for (const pointer of pointers)
    if (!(await exists(join(store, pointer.oid)))) missing.set(pointer.oid, pointer);
  if (missing.size > 0) {
    const path = spec.cloneUrl.replace(/^file:\/\//, "");
    const wanted = [...missing.values()];
    const rest = isAbsolute(path) ? await copyLocal(room, path, store, wanted, signal) : wanted;
    if (rest.length > 0) await download(room, mirror, spec, rest, store, signal);
  }
  for (const { path, oid } of pointers) await put(join(store, oid), Buffer.from(path, "latin1"), target);
}

/** The store that git-lfs fills beside a repository's objects; what is not in it is left over. */
async function copyLocal(
  room: Room,
  directory: string,
  store: string,
  pointers: readonly LfsPointer[],
  signal?: AbortSignal,
): Promise<readonly LfsPointer[]> {
  const asked = callIn(room, directory, ["rev-parse", "--path-format=absolute", "--git-common-dir"]);
  const common = (await room.git.run(asked, signal)).stdout.toString("utf8").trim();
  const rest: LfsPointer[] = [];
  for (const pointer of pointers) {
    const { oid } = pointer;
    const file = join(common, "lfs", "objects", oid.slice(0, 2), oid.slice(2, 4), oid);
    if (common === "" || !(await exists(file))) rest.push(pointer);
    else
      await copyFile(file, join(store, `${oid}.new`)).then(() =>
        rename(join(store, `${oid}.new`), join(store, oid)),
      );
  }
  return rest;
}

async function download(
  room: Room,
  mirror: Mirror,
  spec: SourceSpec,
  pointers: readonly LfsPointer[],
  store: string,
  signal?: AbortSignal,
): Promise<void> {
  const remote = await remoteFor(room, mirror, spec, signal);
  const limit = AbortSignal.timeout(room.limits.historyMs);
  const both = signal === undefined ? limit : AbortSignal.any([signal, limit]);
  await using place = await privatePlace(mirror);
  for (let at = 0; at < pointers.length; at += 100)
    for (const found of await batchDownloads(room, remote, pointers.slice(at, at + 100), both)) {
      const file = join(place.path, found.oid);
      await save(found, file, both);
      await rename(file, join(store, found.oid));
    }
}

/** `lfs.url` of .lfsconfig, else what belongs to the repository's address. */
async function remoteFor(
  room: Room,
  mirror: Mirror,
  spec: SourceSpec,
  signal?: AbortSignal,
): Promise<LfsRemote> {
  const call = {
    args: ["config", "-z", "--blob", `${spec.tree}:.lfsconfig`, "--get", "lfs.url"],
    cwd: mirror.path,
    env: { GIT_DIR: mirror.path },
    limitMs: room.limits.localMs,
    config: "none",
  } as const;
  const configured = (await room.git.run(call, signal)).stdout.toString("utf8").replace(/\0.*$/s, "");
  const path = spec.cloneUrl.replace(/^file:\/\//, "");
  const source = isAbsolute(path) ? await remoteOf(room, path, null, signal) : spec.cloneUrl;
  const address = configured === "" ? source : configured;
  if (!/^https?:\/\//.test(address))
    throw new Problem(
      "source_unavailable",
      `Git LFS files of ${quote(address)} cannot be fetched: they come over https only`,
      { remedy: "Set lfs.url to an https address in .lfsconfig, or run `git lfs fetch` in the repository." },
    );
  const url = checkUrl(address, room.urls);
  const own = /\.git$/.test(url) ? `${url}/info/lfs` : `${url}.git/info/lfs`;
  return { endpoint: configured === "" ? own : url, cloneUrl: source, credential: spec.credential ?? null };
}

async function save(found: LfsDownload, file: string, signal: AbortSignal): Promise<void> {
  const hash = createHash("sha256");
  const where = `the Git LFS file ${found.oid.slice(0, 12)} from ${new URL(found.href).origin}`;
  try {
    const response = await fetch(found.href, { headers: found.header, signal });
    if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
    await pipeline(
      Readable.fromWeb(response.body),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(file, { mode: 0o600 }),
    );
  } catch (error) {
    signal.throwIfAborted();
    throw new Problem("source_unavailable", `${where} cannot be fetched: ${errorMessage(error)}`, {
      remedy: "Try again.",
      cause: error,
    });
  }
  if (hash.digest("hex") !== found.oid)
    throw new Problem("source_unavailable", `${where} has other bytes than its pointer says`);
}

/** git has written the pointer, so the path leads through real directories only. */
async function put(from: string, path: Buffer, target: string): Promise<void> {
  const file = Buffer.concat([Buffer.from(`${target}/`), path]);
  try {
    const { mode } = await lstat(file);
    await rm(file);
    await writeFile(file, "", { mode, flag: "wx" });
    await copyFile(from, file);
  } catch (error) {
    throw unusable(target, error);
  }
}

/** Makes a pointer of its input, as git-lfs does, so that git finds no difference where git-lfs is not installed. */
const clean = `f() { t=$(mktemp) && cat >"$t" && printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize %s\\n' "$(sha256sum <"$t" | cut -c1-64)" "$(wc -c <"$t" | tr -d ' ')"; rm -f "$t"; }; f`;

export async function keepClean(
  room: Room,
  mirror: Mirror,
  target: string,
  pointers: readonly LfsPointer[],
  signal?: AbortSignal,
): Promise<void> {
  const gitDirectory = join(target, ".git");
  // Where a working directory's bytes hold as they are, so do its attributes: there no filter is used.
  if (!(await exists(gitDirectory)) || (await exists(join(gitDirectory, "info", "attributes")))) return;
  await using place = await privatePlace(mirror);
  const stdin = join(place.path, "paths");
  await writeFile(stdin, Buffer.from(pointers.map(({ path }) => `${path}\0`).join(""), "latin1"));
  await appendFile(join(gitDirectory, "config"), `[filter "lfs"]\n\tclean = ${JSON.stringify(clean)}\n`);
  const call = {
    args: ["update-index", "-q", "-z", "--stdin"],
    cwd: target,
    env: { GIT_DIR: gitDirectory, GIT_WORK_TREE: target },
    stdin,
    limitMs: room.limits.localMs,
    config: "none",
  } as const;
  await room.git.expect(call, quote(target), signal);
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
