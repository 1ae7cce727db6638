/** Looks into an image archive: an OCI layout (`index.json`) or what `docker save` writes (`manifest.json`), also gzipped. */
import { createReadStream } from "node:fs";
import fs from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { createTarDecoder } from "modern-tar";
import { errorMessage, Problem } from "../kernel/index.ts";

/** An index is a few hundred bytes; more than this is not one. */
const largestNote = 4 * 1024 * 1024;

export interface ImageArchive {
  readonly layout: "oci" | "docker";
  /** OCI: the digest of the image's manifest. Docker: of its configuration, the image's id. `sha256:…` */
  readonly imageDigest: string;
  /** References that the archive gives the image. */
  readonly tags: readonly string[];
}

interface Contents {
  readonly names: ReadonlySet<string>;
  readonly index: unknown;
  readonly manifest: unknown;
}

/**
 * @param called what errors call the file; its path when absent
 * @throws Problem artifact_corrupt when the file is no archive of exactly one image
 */
export async function inspectImageArchive(
  file: string,
  called = file,
  signal?: AbortSignal,
): Promise<ImageArchive> {
  const contents = await listContents(file, called, signal);
  // Newer `docker save` writes both; the OCI layout says more.
  if (contents.index !== undefined) return fromLayout(contents, called);
  if (contents.manifest !== undefined) return fromDocker(contents, called);
  throw notAnImage(called, "it holds neither index.json (OCI layout) nor manifest.json (docker save)");
}

async function listContents(
  file: string,
  called: string,
  signal: AbortSignal | undefined,
): Promise<Contents> {
  const names = new Set<string>();
  const notes = new Map<string, unknown>();
  const { readable, writable } = createTarDecoder({ strict: true });
  const fed = Readable.toWeb(await openArchive(file)).pipeTo(
    writable,
    signal === undefined ? {} : { signal },
  );
  // Its errors arrive through the reader as well.
  fed.catch(() => undefined);
  try {
    for await (const { header, body } of readable) {
      const name = header.name.replace(/^\.\//, "");
      names.add(name);
      if (name !== "index.json" && name !== "manifest.json") {
        await body.cancel();
        continue;
      }
      if (header.size > largestNote) throw notAnImage(called, `its ${name} has ${header.size} bytes`);
      notes.set(name, JSON.parse(await new Response(body).text()));
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof Problem) throw error;
    throw notAnImage(called, `it cannot be read as a tar: ${errorMessage(error)}`, error);
  }
  return { names, index: notes.get("index.json"), manifest: notes.get("manifest.json") };
}

async function openArchive(file: string): Promise<Readable> {
  const handle = await fs.open(file, "r");
  const magic = new Uint8Array(2);
  try {
    await handle.read(magic, 0, 2, 0);
  } finally {
    await handle.close();
  }
  const bytes = createReadStream(file, { highWaterMark: 1 << 20 });
  if (magic[0] !== 0x1f || magic[1] !== 0x8b) return bytes;
  const plain = createGunzip();
  bytes.on("error", (error) => plain.destroy(error));
  return bytes.pipe(plain);
}

function fromLayout({ names, index }: Contents, called: string): ImageArchive {
  const manifests = list(field(index, "manifests"));
  const digests = new Set(manifests.map((manifest) => field(manifest, "digest")));
  const [digest] = digests;
  if (digests.size !== 1) throw notAnImage(called, `its index names ${digests.size} images, not one`);
  if (!isDigest(digest))
    throw notAnImage(called, `its index gives the image the digest ${JSON.stringify(digest)}`);
  requirePart(names, `blobs/${digest.replace(":", "/")}`, called);
  const tags = manifests.flatMap((manifest) => {
    const annotations = field(manifest, "annotations");
    const named =
      field(annotations, "io.containerd.image.name") ??
      field(annotations, "org.opencontainers.image.ref.name");
    return typeof named === "string" ? [named] : [];
  });
  return { layout: "oci", imageDigest: digest, tags };
}

function fromDocker({ names, manifest }: Contents, called: string): ImageArchive {
  const images = list(manifest);
  const [image] = images;
  if (images.length !== 1) throw notAnImage(called, `its manifest names ${images.length} images, not one`);
  const configuration = field(image, "Config");
  const hex = /([0-9a-f]{64})(\.json)?$/.exec(String(configuration))?.[1];
  if (typeof configuration !== "string" || hex === undefined)
    throw notAnImage(called, `its manifest names the configuration ${JSON.stringify(configuration)}`);
  requirePart(names, configuration, called);
  for (const layer of list(field(image, "Layers"))) requirePart(names, String(layer), called);
  const tags = list(field(image, "RepoTags")).filter((tag) => typeof tag === "string");
  return { layout: "docker", imageDigest: `sha256:${hex}`, tags };
}

function requirePart(names: ReadonlySet<string>, part: string, called: string): void {
  if (!names.has(part)) throw notAnImage(called, `it names ${part}, which is not in it`);
}

const isDigest = (value: unknown): value is string =>
  typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value);

function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function notAnImage(called: string, fact: string, cause?: unknown): Problem {
  return new Problem("artifact_corrupt", `${JSON.stringify(called)} is not an archive of an image: ${fact}`, {
    place: called,
    remedy: "Write it with `docker save`, `skopeo copy … oci-archive:` or `buildctl --output type=oci`.",
    ...(cause === undefined ? {} : { cause }),
  });
}
