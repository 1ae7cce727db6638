/** Images as outputs: by reference at a real registry, and as archives of both kinds. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ArtifactDetail } from "../../../src/services/index.ts";
import { withoutCluster, withoutImage } from "../support/needs.ts";
import { ClusterWorld } from "./support/cluster.ts";
import { blobOf, digestOf, manifestOf } from "./support/registry.ts";

const absent = () => withoutCluster() ?? withoutImage("busybox:latest");
const docker = (...args: string[]) =>
  execFileSync("docker", args, { stdio: "pipe", encoding: "utf8" }).trim();

let cluster: ClusterWorld;
/** An image of one small layer, in the engine and in the registry. */
let reference: string;

beforeAll(async () => {
  if (absent() !== null) return;
  cluster = await ClusterWorld.open();
  reference = `${cluster.registry}/${cluster.namespace}/small:1`;
  const context = cluster.world.directory("context", {
    Dockerfile: `FROM scratch\nCOPY mark /mark\n`,
    mark: cluster.namespace,
  });
  docker("build", "--quiet", "--tag", reference, context);
  docker("push", "--quiet", reference);
});
afterAll(async () => {
  if (absent() === null) docker("image", "rm", "--force", reference);
  await cluster?.[Symbol.asyncDispose]();
});
beforeEach((context) => {
  const reason = absent();
  if (reason !== null) context.skip(reason);
});

let count = 0;
const output = (script: string, declared: string, more: Readonly<Record<string, string>> = {}) =>
  cluster.world.repository(`repository-${count++}`, {
    ".shipinator.yaml": `build:\n  steps:\n    - name: image\n      run: |\n        ${script}\n      outputs: [${declared}]\n`,
    ...more,
  });

async function only(): Promise<ArtifactDetail> {
  const { artifacts } = await cluster.world.status();
  expect(artifacts).toHaveLength(1);
  const [artifact] = artifacts;
  if (artifact === undefined) throw new Error("no artifact");
  return artifact;
}

async function expectKept(file: string): Promise<ArtifactDetail> {
  const artifact = await only();
  const bytes = readFileSync(file);
  expect(artifact).toMatchObject({
    checksum: createHash("sha256").update(bytes).digest("hex"),
    size: bytes.length,
  });
  return artifact;
}

describe("an image by reference", () => {
  it("that its step did not push is missing, and the registry that was asked is named", async () => {
    const directory = output(
      "true",
      `{ type: oci_image, ref: "${cluster.registry}/${cluster.namespace}/none:1" }`,
    );
    const { code, stdout } = await cluster.run(directory);
    expect(code).toBe(1);
    expect(stdout).toContain(
      `The registry ${cluster.registry} does not have ${cluster.registry}/${cluster.namespace}/none:1`,
    );
    expect(await cluster.world.status()).toMatchObject({
      status: "failed",
      failure_reason: "artifact_missing",
    });
  });

  it("that an earlier run pushed is recorded as what it is now", async () => {
    const { code } = await cluster.run(
      output("true", `{ type: oci_image, name: image, ref: "${reference}" }`),
    );
    expect(code).toBe(0);
    expect((await only()).metadata.imageDigest).toBe(await digestOf(reference));
  });

  it("of a registry that is not declared as plain names the setting that declares it", async () => {
    const directory = output("true", `{ type: oci_image, ref: "${reference}" }`);
    const { code, stdout } = await cluster.run(directory, { SHIPINATOR_REGISTRY_PLAIN_HTTP: "other.test" });
    expect(code).toBe(1);
    expect(stdout).toContain(`SHIPINATOR_REGISTRY_PLAIN_HTTP=${cluster.registry}`);
    expect((await cluster.world.status()).artifacts).toEqual([]);
  });
});

describe("an image archive", () => {
  it("of docker save is kept whole, with the image's id", async () => {
    const kept = join(cluster.world.root, "saved.tar");
    const script = `docker save --output image.tar ${reference} && cp image.tar ${kept}`;
    const { code, stdout } = await cluster.run(output(script, "{ type: oci_image, path: image.tar }"));
    expect(code, stdout).toBe(0);
    const { metadata } = await expectKept(kept);
    expect(metadata).toMatchObject({
      form: "file",
      path: "image.tar",
      imageDigest: docker("image", "inspect", "--format", "{{.Id}}", reference),
    });
  });

  it("that is an OCI layout is kept whole, with its manifest's digest: the registry's, of the same image", async () => {
    const layout = join(cluster.world.root, "layout");
    await writeLayout(layout);
    const kept = join(cluster.world.root, "layout.tar");
    const script = `tar -cf image.tar -C ${layout} . && cp image.tar ${kept}`;
    const { code, stdout } = await cluster.run(output(script, "{ type: oci_image, path: image.tar }"));
    expect(code, stdout).toBe(0);
    expect((await expectKept(kept)).metadata.imageDigest).toBe(await digestOf(reference));
  });

  it("can be loaded again after its download", async () => {
    await cluster.run(
      output(`docker save --output image.tar ${reference}`, "{ type: oci_image, path: image.tar }"),
    );
    const { id } = await only();
    const file = join(cluster.world.root, "downloaded.tar");
    expect(await cluster.shipinator(["download", id, "--to", file])).toMatchObject({ code: 0 });
    expect(docker("load", "--input", file)).toContain(reference);
  });

  it("that is none is corrupt, and the run says what it lacks", async () => {
    const directory = output("tar -cf image.tar .shipinator.yaml", "{ type: oci_image, path: image.tar }");
    const { code, stdout } = await cluster.run(directory);
    expect(code).toBe(1);
    expect(stdout).toContain("holds neither index.json (OCI layout) nor manifest.json (docker save)");
    expect(await cluster.world.status()).toMatchObject({ failure_reason: "artifact_corrupt", artifacts: [] });
  });
});

/** The image as the registry holds it, as an OCI layout on disk. */
async function writeLayout(directory: string): Promise<void> {
  const blobs = join(directory, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const manifest = await manifestOf(reference);
  const { config, layers }: { config: { digest: string }; layers: readonly { digest: string }[] } =
    JSON.parse(manifest.bytes.toString());
  const all = await Promise.all([config, ...layers].map(({ digest }) => blobOf(reference, digest)));
  for (const { digest, bytes } of [manifest, ...all])
    writeFileSync(join(blobs, digest.replace("sha256:", "")), bytes);
  writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const { digest, mediaType, bytes } = manifest;
  const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size: bytes.length }] };
  writeFileSync(join(directory, "index.json"), JSON.stringify(index));
}
