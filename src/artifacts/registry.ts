/**
 * Asks an OCI registry for the digest that it holds under a reference (OCI distribution specification 1.1, "pulling
 * manifests"; token flow of the Docker registry v2 API). HTTPS, except for loopback hosts and hosts declared as plain.
 */
import { errorMessage, Problem } from "../kernel/index.ts";

export interface RegistryOptions {
  /** `host[:port]` of registries that speak plain HTTP. */
  readonly plainHttp: readonly string[];
  readonly timeoutMs: number;
  /** `host[:port]` → `user:password`, base64, as in Docker's configuration. */
  readonly credentials: (host: string) => Promise<string | null>;
}

export interface Registry {
  /**
   * `sha256:…` of the manifest or index under `ref`.
   * @throws Problem artifact_missing when the registry does not hold it, environment when it cannot be asked
   */
  digest(ref: string, signal: AbortSignal): Promise<string>;
}

export interface ImageReference {
  readonly host: string;
  readonly repository: string;
  /** A tag or a digest. */
  readonly reference: string;
}

const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** Splits `[host[:port]/]repository[:tag][@digest]`; without a host it is Docker Hub's. */
export function parseImageReference(ref: string): ImageReference {
  const match = /^(?:([^/]+)\/)?([^@]*?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(ref);
  const [, first, rest = "", tag, digest] = match ?? [];
  const isHost = first !== undefined && (/[.:]/.test(first) || first === "localhost");
  const path = isHost || first === undefined ? rest : `${first}/${rest}`;
  const repository = isHost || path.includes("/") ? path : `library/${path}`;
  const valid = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/.test(repository);
  if (match === null || !valid)
    throw new Problem(
      "artifact_missing",
      `${JSON.stringify(ref)} is not an image reference, so no registry can be asked for it`,
      {
        remedy: "write host[:port]/name[:tag]",
      },
    );
  return { host: isHost ? first : "registry-1.docker.io", repository, reference: digest ?? tag ?? "latest" };
}

export function createRegistry(options: RegistryOptions): Registry {
  const isPlain = (host: string) =>
    options.plainHttp.includes(host) || /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host);

  async function ask(ref: string, image: ImageReference, authorization: string | null, signal: AbortSignal) {
    const scheme = isPlain(image.host) ? "http" : "https";
    const url = `${scheme}://${image.host}/v2/${image.repository}/manifests/${image.reference}`;
    try {
      return await fetch(url, {
        method: "HEAD",
        headers: { accept: manifestTypes, ...(authorization === null ? {} : { authorization }) },
        signal: AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]),
      });
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new Problem(
        "environment",
        `the registry ${image.host} could not be asked for ${ref}: ${errorMessage(cause)}`,
        {
          remedy:
            scheme === "https"
              ? `if it speaks plain HTTP, name it in registry.plain_http (SHIPINATOR_REGISTRY_PLAIN_HTTP=${image.host})`
              : "check that it is running and reachable from here",
          cause: error,
        },
      );
    }
  }

  return {
    async digest(ref, signal) {
      const image = parseImageReference(ref);
      const stored = await options.credentials(image.host);
      const basic = stored === null ? null : `Basic ${stored}`;
      let answer = await ask(ref, image, basic, signal);
      if (answer.status === 401) {
        const token = await bearer(
          answer.headers.get("www-authenticate") ?? "",
          basic,
          signal,
          options.timeoutMs,
        );
        if (token !== null) answer = await ask(ref, image, `Bearer ${token}`, signal);
      }
      if (answer.status === 404)
        throw new Problem("artifact_missing", `the registry ${image.host} does not hold ${ref}`, {
          remedy: "push the image in the step that declares it, under exactly this reference",
        });
      if (!answer.ok)
        throw new Problem("environment", `the registry ${image.host} answered ${answer.status} for ${ref}`, {
          remedy:
            answer.status === 401 || answer.status === 403
              ? `log in first: docker login ${image.host}`
              : "look at the registry's log",
        });
      const digest = answer.headers.get("docker-content-digest");
      if (digest === null || !/^sha256:[0-9a-f]{64}$/.test(digest))
        throw new Problem("environment", `the registry ${image.host} gave no digest for ${ref}`, {
          remedy:
            "a registry must answer HEAD with Docker-Content-Digest; use one that keeps to the specification",
        });
      return digest;
    },
  };
}

/** The token that a Bearer challenge asks for, or null when there is no such challenge. */
async function bearer(
  challenge: string,
  basic: string | null,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<string | null> {
  if (!/^bearer /i.test(challenge)) return null;
  const parameters = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [
      name.toLowerCase(),
      value,
    ]),
  );
  if (parameters.realm === undefined) return null;
  const url = new URL(parameters.realm);
  for (const name of ["service", "scope"]) {
    const value = parameters[name];
    if (value !== undefined) url.searchParams.set(name, value);
  }
  const answer = await fetch(url, {
    headers: basic === null ? {} : { authorization: basic },
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  });
  if (!answer.ok) return null;
  const body: unknown = await answer.json();
  if (typeof body !== "object" || body === null) return null;
  const token = "token" in body ? body.token : "access_token" in body ? body.access_token : null;
  return typeof token === "string" ? token : null;
}
