import fs from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { describe, expect, it } from "vitest";
import { inspectImageArchive } from "../../../src/artifacts/index.ts";
import { newId } from "../../../src/kernel/index.ts";
import { type Bench, openBench } from "./support/bench.ts";

const hex = "ab".repeat(32);
const other = "cd".repeat(32);

async function archive(
  bench: Bench,
  files: Readonly<Record<string, unknown>>,
  compress = (tar: Uint8Array) => tar,
) {
  const entries = Object.entries(files).map(([name, content]) => {
    const body = Buffer.from(typeof content === "string" ? content : JSON.stringify(content));
    return { header: { name, size: body.length, type: "file" as const }, body };
  });
  const file = path.join(bench.workspace, "image.tar");
  await fs.writeFile(file, compress(await packTar(entries)));
  return file;
}

const layout = (...manifests: readonly unknown[]) => ({
  "oci-layout": { imageLayoutVersion: "1.0.0" },
  "blobs/sha256/other": "x".repeat(3_000_000),
  "index.json": { schemaVersion: 2, manifests },
  [`blobs/sha256/${hex}`]: "{}",
});
const named = { digest: `sha256:${hex}`, annotations: { "org.opencontainers.image.ref.name": "app:1" } };
const saved = { [`${hex}.json`]: "{}", "l/layer.tar": "layer", "manifest.json": [docker()] };

function docker() {
  return { Config: `${hex}.json`, RepoTags: ["app:1", "app:latest"], Layers: ["l/layer.tar"] };
}

describe("inspectImageArchive", () => {
  it("reads an OCI layout, plain or gzipped", async () => {
    await using bench = await openBench();
    const expected = { layout: "oci", imageDigest: `sha256:${hex}`, tags: ["app:1"] };
    expect(await inspectImageArchive(await archive(bench, layout(named)))).toEqual(expected);
    expect(await inspectImageArchive(await archive(bench, layout(named), gzipSync))).toEqual(expected);
  });

  it("reads names with ./ in front, and several tags of one image", async () => {
    await using bench = await openBench();
    const full = { ...named, annotations: { "io.containerd.image.name": "registry.test/app:2" } };
    const dotted = Object.entries(layout(named, full)).map(([name, content]) => [`./${name}`, content]);
    const { tags } = await inspectImageArchive(await archive(bench, Object.fromEntries(dotted)));
    expect(tags).toEqual(["app:1", "registry.test/app:2"]);
  });

  it("reads what docker save writes, old and new", async () => {
    await using bench = await openBench();
    const expected = { layout: "docker", imageDigest: `sha256:${hex}`, tags: ["app:1", "app:latest"] };
    expect(await inspectImageArchive(await archive(bench, saved))).toEqual(expected);
    const both = {
      ...layout(named),
      "manifest.json": [{ ...docker(), Config: `blobs/sha256/${hex}`, Layers: [] }],
    };
    expect(await inspectImageArchive(await archive(bench, both))).toMatchObject({ layout: "oci" });
    const untagged = { ...saved, "manifest.json": [{ ...docker(), RepoTags: null }] };
    expect(await inspectImageArchive(await archive(bench, untagged))).toMatchObject({ tags: [] });
  });

  const bad: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    ["neither index.json", { Dockerfile: "FROM scratch" }],
    ["0 images", layout()],
    ["2 images", layout(named, { digest: `sha256:${other}` })],
    ["the digest", layout({ digest: "md5:1" })],
    [`blobs/sha256/${other}, which is not in it`, layout({ digest: `sha256:${other}` })],
    ["cannot be read as a tar", { "index.json": "{" }],
    ["0 images", { "index.json": "null" }],
    ["2 images", { ...saved, "manifest.json": [docker(), docker()] }],
    ["the configuration", { ...saved, "manifest.json": [{}] }],
    [
      "l/gone.tar, which is not in it",
      { ...saved, "manifest.json": [{ ...docker(), Layers: ["l/gone.tar"] }] },
    ],
    ["bytes", { "index.json": "x".repeat(5 << 20) }],
  ];
  it.each(bad)("says: %s", async (fact, files) => {
    await using bench = await openBench();
    const inspected = inspectImageArchive(await archive(bench, files), "out/image.tar");
    await expect(inspected).rejects.toMatchObject({
      code: "artifact_corrupt",
      place: "out/image.tar",
      message: expect.stringContaining(fact),
    });
  });

  it.each([
    ["text", (_: Uint8Array) => Buffer.from("hello ".repeat(200))],
    ["nothing", (_: Uint8Array) => Buffer.alloc(0)],
    ["half an archive", (tar: Uint8Array) => tar.subarray(0, tar.length / 2)],
    ["half a gzip", (tar: Uint8Array) => gzipSync(tar).subarray(0, 200)],
    ["a gzip of text", (_: Uint8Array) => gzipSync("hello ".repeat(200))],
  ])("refuses %s", async (_, spoil) => {
    await using bench = await openBench();
    const inspected = inspectImageArchive(await archive(bench, layout(named), spoil));
    await expect(inspected).rejects.toMatchObject({ code: "artifact_corrupt" });
  });
});

describe("putFiles of an oci_image", () => {
  const put = (bench: Bench, files: readonly string[], declaredPath: string, bundle: boolean) =>
    bench.store.putFiles({
      id: newId(),
      name: "image",
      type: "oci_image",
      root: bench.workspace,
      files,
      bundle,
      declaredPath,
    });

  it("records the digest, of an archive and of a layout directory", async () => {
    await using bench = await openBench();
    await archive(bench, layout(named));
    const { metadata } = await put(bench, ["image.tar"], "image.tar", false);
    expect(metadata).toMatchObject({ form: "file", imageDigest: `sha256:${hex}` });
    await bench.write({
      "oci/index.json": JSON.stringify({ manifests: [named] }),
      [`oci/blobs/sha256/${hex}`]: "{}",
    });
    const directory = await put(bench, ["oci/index.json", `oci/blobs/sha256/${hex}`], "oci", true);
    expect(directory.metadata).toMatchObject({ form: "tar", path: "oci", imageDigest: `sha256:${hex}` });
  });

  it("keeps nothing that is no image", async () => {
    await using bench = await openBench();
    await bench.write({ "image.tar": "oops" });
    await expect(put(bench, ["image.tar"], "image.tar", false)).rejects.toMatchObject({
      code: "artifact_corrupt",
      message: expect.stringContaining('"image.tar" is not an archive of an image'),
    });
    expect([await bench.visible(), await bench.temporary()]).toEqual([[], []]);
  });
});
