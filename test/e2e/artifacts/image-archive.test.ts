import { createHash } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { describe, expect, it } from "vitest";
import { inspectImageArchive } from "../../../src/artifacts/index.ts";
import { newId } from "../../../src/kernel/index.ts";
import { type Bench, openBench } from "./support/bench.ts";

const sha = (text: string) => createHash("sha256").update(text).digest("hex");
const blob = (text: string) => ({ [`blobs/sha256/${sha(text)}`]: text });
const part = (text: string) => ({ digest: `sha256:${sha(text)}`, size: text.length });

const config = '{"architecture":"amd64"}';
const layer = "a layer".repeat(500_000);
const manifest = JSON.stringify({ schemaVersion: 2, config: part(config), layers: [part(layer)] });
const hex = sha(manifest);
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
  ...blob(layer),
  "index.json": { schemaVersion: 2, manifests },
  ...blob(config),
  ...blob(manifest),
});
const named = { digest: `sha256:${hex}`, annotations: { "org.opencontainers.image.ref.name": "app:1" } };
const saved = { [`${sha(config)}.json`]: config, "l/layer.tar": "layer", "manifest.json": [docker()] };
const without = (text: string) =>
  Object.fromEntries(Object.entries(layout(named)).filter(([name]) => name !== `blobs/sha256/${sha(text)}`));
/** An index of two platforms, of which the archive may hold one. */
const platforms = JSON.stringify({ manifests: [part(manifest), { digest: `sha256:${other}` }] });
const indexOf = (text: string) => ({ ...layout({ digest: `sha256:${sha(text)}` }), ...blob(text) });

function docker() {
  return { Config: `${sha(config)}.json`, RepoTags: ["app:1", "app:latest"], Layers: ["l/layer.tar"] };
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
    const expected = {
      layout: "docker",
      imageDigest: `sha256:${sha(config)}`,
      tags: ["app:1", "app:latest"],
    };
    expect(await inspectImageArchive(await archive(bench, saved))).toEqual(expected);
    const both = {
      ...layout(named),
      "manifest.json": [{ ...docker(), Config: `blobs/sha256/${sha(config)}`, Layers: [] }],
    };
    expect(await inspectImageArchive(await archive(bench, both))).toMatchObject({ layout: "oci" });
    const untagged = { ...saved, "manifest.json": [{ ...docker(), RepoTags: null }] };
    expect(await inspectImageArchive(await archive(bench, untagged))).toMatchObject({ tags: [] });
  });

  it("reads an image of several platforms, of which one at least is there", async () => {
    await using bench = await openBench();
    const digest = `sha256:${sha(platforms)}`;
    const inspected = await inspectImageArchive(await archive(bench, indexOf(platforms)));
    expect(inspected).toEqual({ layout: "oci", imageDigest: digest, tags: [] });
  });

  it("does not ask for a layer that is had elsewhere", async () => {
    await using bench = await openBench();
    const far = { digest: `sha256:${other}`, urls: ["https://layers.test/1"] };
    const foreign = JSON.stringify({ config: part(config), layers: [far] });
    const inspected = await inspectImageArchive(await archive(bench, indexOf(foreign)));
    expect(inspected).toMatchObject({ imageDigest: `sha256:${sha(foreign)}` });
  });

  const bad: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    ["neither index.json", { Dockerfile: "FROM scratch" }],
    ["0 images", layout()],
    ["2 images", layout(named, { digest: `sha256:${other}` })],
    ["the digest", layout({ digest: "md5:1" })],
    [`blobs/sha256/${other}, which is not in it`, layout({ digest: `sha256:${other}` })],
    ["index.json is not JSON", { "index.json": "{" }],
    [
      `the bytes of its blobs/sha256/${hex} have the digest sha256:${sha("{}")}`,
      { ...layout(named), [`blobs/sha256/${hex}`]: "{}" },
    ],
    [`the bytes of its ${other}.json have the digest`, { ...saved, [`${other}.json`]: config }],
    [`blobs/sha256/${sha(layer)}, which is not in it`, without(layer)],
    [`blobs/sha256/${sha(config)}, which is not in it`, without(config)],
    [`blobs/sha256/${sha("a plain text")} is not JSON`, indexOf("a plain text")],
    ["names a part with the digest undefined", indexOf("{}")],
    [
      "names images, but contains none of them",
      indexOf(JSON.stringify({ manifests: [{ digest: `sha256:${other}` }] })),
    ],
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

  it("refuses what has more entries than an image, before it has read them all", async () => {
    await using bench = await openBench();
    const names = Array.from({ length: 10_001 }, (_, index) => [`f${index}`, ""]);
    const file = await archive(bench, { ...Object.fromEntries(names), ...layout(named) });
    await expect(inspectImageArchive(file)).rejects.toThrow("it has more than 10000 entries");
  });

  it("refuses what unpacks to more bytes than it may", async () => {
    await using bench = await openBench();
    const file = await archive(bench, layout(named), (tar) => gzipSync(tar));
    const inspect = (bytes: number) => inspectImageArchive(file, file, undefined, { entries: 100, bytes });
    await expect(inspect(1_000_000)).rejects.toMatchObject({
      code: "artifact_corrupt",
      message: expect.stringContaining("it unpacks to more than 1000000 bytes"),
    });
    expect(await inspect(4_000_000)).toMatchObject({ layout: "oci" });
  });

  it("refuses headers that are larger than an image's, before they fill the memory", async () => {
    await using bench = await openBench();
    const file = path.join(bench.workspace, "image.tar");
    const comment = "x".repeat(7 << 20);
    const head = (type: "pax-header" | "file", size: number) => ({
      name: "a",
      type,
      size,
      mtime: new Date(0),
    });
    const pax = Buffer.from(`${String(comment.length + 17)} comment=${comment}\n`.slice(0, 7 << 20));
    const bomb = await packTar([
      ...Array.from({ length: 20 }, () => ({ header: head("pax-header", pax.length), body: pax })),
      { header: head("file", 0), body: "" },
    ]);
    await fs.writeFile(file, gzipSync(bomb));
    await expect(inspectImageArchive(file)).rejects.toThrow("its headers are larger than those of an image");
    const long = { ...layout(named), ["n".repeat(5000)]: "" };
    await expect(inspectImageArchive(await archive(bench, long))).rejects.toThrow(
      "it has a name of 5000 characters",
    );
    const longest = { ...layout(named), [`${"n".repeat(99)}/`.repeat(40)]: "" };
    expect(await inspectImageArchive(await archive(bench, longest))).toMatchObject({ layout: "oci" });
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
    const parts = Object.entries({ ...blob(config), ...blob(layer), ...blob(manifest) });
    const files = Object.fromEntries(parts.map(([name, text]) => [`oci/${name}`, text]));
    await bench.write({ "oci/index.json": JSON.stringify({ manifests: [named] }), ...files });
    const directory = await put(bench, ["oci/index.json", ...Object.keys(files)], "oci", true);
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
