/** Checks the notes of an image archive against its parts. Pure. */
import type { Problem } from "../../kernel/index.ts";

export interface ImageArchive {
  readonly layout: "oci" | "docker";
  /** `sha256:…` of the image's manifest (OCI), or of its configuration, the image's id (Docker). */
  readonly imageDigest: string;
  /** References of the image in the archive. */
  readonly tags: readonly string[];
}

export interface ArchiveParts {
  readonly names: ReadonlySet<string>;
  /** Index, manifests and configurations: small parts that begin like JSON. */
  readonly notes: ReadonlyMap<string, Buffer>;
}

export type Refuse = (fact: string, cause?: unknown) => Problem;

/** Digest in the name of a part, in hex: of a blob in an OCI layout, or of a configuration of `docker save`. */
export const digestInName = (name: string): string | null =>
  /^(?:blobs\/sha256\/([0-9a-f]{64})|([0-9a-f]{64})\.json)$/.exec(name)?.slice(1).find(Boolean) ?? null;

/** Maximum depth of nested indexes. */
const maxDepth = 3;

/** @throws Problem artifact_corrupt, made by `refuse` */
export function readImage(parts: ArchiveParts, refuse: Refuse): ImageArchive {
  // Newer versions of `docker save` write both. The OCI layout has more information.
  if (parts.notes.has("index.json")) return fromLayout(parts, refuse);
  if (parts.notes.has("manifest.json")) return fromDocker(parts, refuse);
  throw refuse("it holds neither index.json (OCI layout) nor manifest.json (docker save)");
}

function fromLayout(parts: ArchiveParts, refuse: Refuse): ImageArchive {
  const manifests = list(field(noteOf(parts, "index.json", refuse), "manifests"));
  const digests = new Set(manifests.map((manifest) => field(manifest, "digest")));
  const [digest] = digests;
  if (digests.size !== 1) throw refuse(`its index names ${digests.size} images, not one`);
  if (!isDigest(digest)) throw refuse(`its index gives the image the digest ${JSON.stringify(digest)}`);
  requireManifest(parts, digest, maxDepth, refuse);
  const tags = manifests.flatMap((manifest) => {
    const annotations = field(manifest, "annotations");
    const named =
      field(annotations, "io.containerd.image.name") ??
      field(annotations, "org.opencontainers.image.ref.name");
    return typeof named === "string" ? [named] : [];
  });
  return { layout: "oci", imageDigest: digest, tags };
}

/** Requires all parts of an image. An image of several platforms needs at least one complete platform. */
function requireManifest(parts: ArchiveParts, digest: string, depth: number, refuse: Refuse): void {
  const name = blobName(digest);
  requirePart(parts, name, refuse);
  const manifest = noteOf(parts, name, refuse);
  const children = field(manifest, "manifests");
  if (!Array.isArray(children)) {
    for (const part of [field(manifest, "config"), ...list(field(manifest, "layers"))])
      requireBlob(parts, part, name, refuse);
    return;
  }
  if (depth === 0) throw refuse(`its ${name} is an index in an index in an index`);
  const there = children
    .map((child) => field(child, "digest"))
    .filter((child) => isDigest(child) && parts.names.has(blobName(child)));
  if (there.length === 0) throw refuse(`its ${name} names images, but contains none of them`);
  for (const child of there) requireManifest(parts, String(child), depth - 1, refuse);
}

function requireBlob(parts: ArchiveParts, descriptor: unknown, manifest: string, refuse: Refuse): void {
  const digest = field(descriptor, "digest");
  if (!isDigest(digest))
    throw refuse(`its ${manifest} names a part with the digest ${JSON.stringify(digest)}`);
  // A layer that may not be distributed has URLs instead.
  if (list(field(descriptor, "urls")).length === 0) requirePart(parts, blobName(digest), refuse);
}

function fromDocker(parts: ArchiveParts, refuse: Refuse): ImageArchive {
  const images = list(noteOf(parts, "manifest.json", refuse));
  const [image] = images;
  if (images.length !== 1) throw refuse(`its manifest names ${images.length} images, not one`);
  const configuration = field(image, "Config");
  const hex = digestInName(String(configuration));
  if (typeof configuration !== "string" || hex === null)
    throw refuse(`its manifest names the configuration ${JSON.stringify(configuration)}`);
  requirePart(parts, configuration, refuse);
  for (const layer of list(field(image, "Layers"))) requirePart(parts, String(layer), refuse);
  const tags = list(field(image, "RepoTags")).filter((tag) => typeof tag === "string");
  return { layout: "docker", imageDigest: `sha256:${hex}`, tags };
}

function noteOf({ notes }: ArchiveParts, name: string, refuse: Refuse): unknown {
  try {
    return JSON.parse(notes.get(name)?.toString() ?? "");
  } catch (error) {
    throw refuse(`its ${name} is not JSON`, error);
  }
}

function requirePart({ names }: ArchiveParts, part: string, refuse: Refuse): void {
  if (!names.has(part)) throw refuse(`it names ${part}, which is not in it`);
}

const blobName = (digest: string): string => `blobs/${digest.replace(":", "/")}`;

const isDigest = (value: unknown): value is string =>
  typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value);

function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
