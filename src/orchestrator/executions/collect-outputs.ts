/** Stores the outputs that the executor found in a workspace as verified artifacts. Their rows come with the attempt's end. */
import type { ArtifactStore } from "../../artifacts/index.ts";
import type { CollectedOutput, OutputSpec } from "../../domain/index.ts";
import type { FoundOutput } from "../../executor/index.ts";
import { type ArtifactId, newId, Problem, type RunId } from "../../kernel/index.ts";

/** Client of image registries. */
export interface RegistryClient {
  /**
   * Returns `sha256:…` of the manifest, with the credentials of the run's project.
   * @throws Problem artifact_missing, or environment when the registry is unavailable
   */
  digest(ref: string, run: RunId, signal: AbortSignal): Promise<string>;
}

export interface CollectDeps {
  readonly artifacts: Pick<ArtifactStore, "putFiles" | "put">;
  readonly registry: RegistryClient;
  readonly run: RunId;
}

/**
 * Collects the outputs one after another, in order. An output that cannot be stored is a result, not an error.
 * @throws the failure that the abort of the signal caused: nothing is known then
 */
export async function collectOutputs(
  deps: CollectDeps,
  found: readonly FoundOutput[],
  signal: AbortSignal,
): Promise<readonly CollectedOutput[]> {
  const collected: CollectedOutput[] = [];
  for (const one of found) collected.push(await collectOne(deps, one, signal));
  return collected;
}

/** The result for an output that may exist and cannot be read. It is required, whatever its declaration says. */
export function notCollected({ name, type }: OutputSpec, error: unknown): CollectedOutput {
  const problem = Problem.from(error);
  const { code } = problem;
  const reason = code === "artifact_missing" || code === "artifact_corrupt" ? code : "internal";
  const message = problem.remedy === undefined ? problem.message : `${problem.message} ${problem.remedy}`;
  return { name, type, found: false, required: true, reason, message };
}

async function collectOne(
  deps: CollectDeps,
  found: FoundOutput,
  signal: AbortSignal,
): Promise<CollectedOutput> {
  const { name, type, required } = found.output;
  if (found.kind === "missing")
    return { name, type, found: false, required, reason: found.reason, message: found.message };
  if (found.kind === "stored") return { name, type, found: true, ...found.stored };
  try {
    return found.kind === "ref"
      ? await collectRef(deps, found, signal)
      : await collectFiles(deps, found, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return notCollected(found.output, error);
  }
}

async function collectFiles(
  deps: CollectDeps,
  found: Extract<FoundOutput, { kind: "files" }>,
  signal: AbortSignal,
): Promise<CollectedOutput> {
  const { name, type, path } = found.output;
  if (path === null) throw new Problem("internal", `Files were found for ${name}, which declares no path.`);
  const id = newId<ArtifactId>();
  const { root, files, bundle, owner } = found;
  const request = { id, name, type, root, files, bundle, declaredPath: path };
  const stored = await deps.artifacts.putFiles(
    { ...request, ...(owner === undefined ? {} : { owner }) },
    signal,
  );
  return { name, type, found: true, artifactId: id, ...stored };
}

/** Collects an image that a step pushed: the artifact is a note of the reference and the registry's digest. */
async function collectRef(
  deps: CollectDeps,
  found: Extract<FoundOutput, { kind: "ref" }>,
  signal: AbortSignal,
): Promise<CollectedOutput> {
  const { name, type } = found.output;
  const { ref } = found;
  const imageDigest = await deps.registry.digest(ref, deps.run, signal);
  const id = newId<ArtifactId>();
  const metadata = { form: "image_ref", path: null, ref, imageDigest } as const;
  const note = new TextEncoder().encode(`${JSON.stringify({ ref, digest: imageDigest })}\n`);
  const source = (async function* () {
    yield note;
  })();
  const stored = await deps.artifacts.put({ id, name, type, metadata, source }, signal);
  return { name, type, found: true, artifactId: id, ...stored };
}
