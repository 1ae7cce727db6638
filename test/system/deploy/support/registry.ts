/** The test registry as a test sees it: asked directly, so that what the program records can be compared. */
import { createHash } from "node:crypto";

const types = [
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
].join(", ");

export interface Held {
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** `host:port/name:tag`, over plain HTTP. */
function split(reference: string): { readonly base: string; readonly tag: string } {
  const [, host, name, tag] = /^([^/]+)\/(.+):([^:/]+)$/.exec(reference) ?? [];
  if (tag === undefined) throw new Error(`${reference} is not host:port/name:tag`);
  return { base: `http://${host}/v2/${name}`, tag };
}

/** The manifest's bytes, whose digest is computed here and not taken from a header. */
export async function manifestOf(reference: string): Promise<Held> {
  const { base, tag } = split(reference);
  return await take(`${base}/manifests/${tag}`);
}

export async function blobOf(reference: string, digest: string): Promise<Held> {
  return await take(`${split(reference).base}/blobs/${digest}`);
}

export async function digestOf(reference: string): Promise<string> {
  return (await manifestOf(reference)).digest;
}

async function take(url: string): Promise<Held> {
  const answer = await fetch(url, { headers: { accept: types } });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  const bytes = Buffer.from(await answer.arrayBuffer());
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  return { digest, mediaType: answer.headers.get("content-type") ?? "", bytes };
}
