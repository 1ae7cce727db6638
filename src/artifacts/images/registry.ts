/**
 * Asks an OCI registry for the digest of a reference (OCI distribution specification 1.1, "pulling
 * manifests"; token flow of the Docker registry v2 API). HTTPS, except for loopback hosts and hosts declared as plain.
 */
import { errorMessage, Problem, type RunId } from "../../kernel/index.ts";

export interface RegistryOptions {
  /** `host[:port]` of registries that speak plain HTTP. */
  readonly plainHttp: readonly string[];
  readonly timeoutMs: number;
  /** `user:password` of a run's project for `host[:port]`, base64, as in Docker's configuration. */
  readonly credentials: (host: string, run: RunId) => Promise<string | null>;
}

export interface Registry {
  /**
   * Returns `sha256:…` of the manifest or index under `ref`, with the login of the run's project.
   * @throws Problem artifact_missing if the registry does not have it, environment if it cannot be asked
   */
  digest(ref: string, run: RunId, signal: AbortSignal): Promise<string>;
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

const dockerHub = "registry-1.docker.io";
const hostPattern = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;
const repositoryPattern = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$/;

/**
 * Normalizes a registry's `host[:port]`: lower case, and the registry's name for Docker Hub.
 * @throws Problem usage
 */
export function registryHost(text: string): string {
  const host = text.toLowerCase();
  if (/^(?:index\.)?docker\.io$/.test(host)) return dockerHub;
  if (hostPattern.test(host) && host.length <= 259) return host;
  throw new Problem("usage", `${JSON.stringify(text)} is not the host of a registry.`, {
    place: "host",
    remedy: "Give host[:port], as it stands before the first slash of an image reference.",
  });
}

/** Splits `[host[:port]/]repository[:tag][@digest]`. The default host, also for `docker.io`, is Docker Hub. */
export function parseImageReference(ref: string): ImageReference {
  const match = /^(?:([^/]+)\/)?([^@]*?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(ref);
  const [, first, rest = "", tag, digest] = match ?? [];
  const named = first !== undefined && (/[.:]/.test(first) || first === "localhost") ? first : null;
  const path = named !== null || first === undefined ? rest : `${first}/${rest}`;
  const host = named === null || /^(?:index\.)?docker\.io$/.test(named) ? dockerHub : named.toLowerCase();
  const repository = host !== dockerHub || path.includes("/") ? path : `library/${path}`;
  if (match === null || !hostPattern.test(host) || !repositoryPattern.test(repository))
    throw new Problem(
      "artifact_missing",
      `${JSON.stringify(ref)} is not an image reference, so no registry can be asked for it.`,
      { remedy: "Write host[:port]/name[:tag]." },
    );
  return { host, repository, reference: digest ?? tag ?? "latest" };
}

export function createRegistry(options: RegistryOptions): Registry {
  const isPlain = (host: string) =>
    options.plainHttp.includes(host) || /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host);

  /** Sends one request to the registry or its token server. */
  async function exchange(host: string, url: URL, request: RequestInit, signal: AbortSignal) {
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
      return await fetch(url, { ...request, signal: limit });
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new Problem("environment", `The registry ${host} could not be asked: ${errorMessage(cause)}.`, {
        place: url.origin,
        remedy:
          url.protocol === "https:"
            ? `Check that it is reachable from here. If it speaks plain HTTP, name it in registry.plain_http (SHIPINATOR_REGISTRY_PLAIN_HTTP=${host}).`
            : "Check that it is running and reachable from here.",
        cause: error,
      });
    }
  }

  function ask(image: ImageReference, authorization: string | null, signal: AbortSignal) {
    const { host, repository, reference } = image;
    const url = `${isPlain(host) ? "http" : "https"}://${host}/v2/${repository}/manifests/${reference}`;
    const headers = { accept: manifestTypes, ...(authorization === null ? {} : { authorization }) };
    return exchange(host, new URL(url), { method: "HEAD", headers }, signal);
  }

  /** Gets the token for a Bearer challenge. Null for another challenge, or if the server gives no token. */
  async function bearer(host: string, challenge: string, basic: string | null, signal: AbortSignal) {
    const url = tokenAddress(challenge);
    if (url === null) return null;
    // Send the login where the registry points, but over plain HTTP only if the registry uses it, too.
    if (url.protocol !== "https:" && !(url.protocol === "http:" && isPlain(host))) return null;
    const answer = await exchange(
      host,
      url,
      basic === null ? {} : { headers: { authorization: basic } },
      signal,
    );
    const text = await shortText(answer);
    if (text === null)
      throw new Problem(
        "environment",
        `The registry ${host} was not asked: the answer to its login has more than ${maxTokenAnswer} bytes.`,
        { place: url.origin, remedy: "Check the address that the registry gives for its tokens." },
      );
    return answer.ok ? tokenIn(text) : null;
  }

  return {
    async digest(ref, run, signal) {
      const image = parseImageReference(ref);
      const { host } = image;
      const stored = await options.credentials(host, run);
      const basic = stored === null ? null : `Basic ${stored}`;
      let answer = await ask(image, basic, signal);
      if (answer.status === 401) {
        const token = await bearer(host, answer.headers.get("www-authenticate") ?? "", basic, signal);
        if (token !== null) answer = await ask(image, `Bearer ${token}`, signal);
      }
      if (answer.status === 404)
        throw new Problem("artifact_missing", `The registry ${host} does not have ${ref}.`, {
          remedy: "Push the image in the step that declares it, under exactly this reference.",
        });
      if (!answer.ok)
        throw new Problem("environment", `The registry ${host} answered ${answer.status} for ${ref}.`, {
          remedy:
            answer.status === 401 || answer.status === 403
              ? `Give the project a login: shipinator registry set ${host} --username USER --secret NAME`
              : "Look at the registry's log.",
        });
      return digestIn(answer, host, ref);
    },
  };
}

function digestIn(answer: Response, host: string, ref: string): string {
  const digest = answer.headers.get("docker-content-digest");
  if (digest === null || !/^sha256:[0-9a-f]{64}$/.test(digest))
    throw new Problem("environment", `The registry ${host} gave no digest for ${ref}.`, {
      remedy: "Use a registry that answers HEAD with Docker-Content-Digest, as the specification demands.",
    });
  return digest;
}

/** Address of the token server in a Bearer challenge. Null for any other challenge. */
function tokenAddress(challenge: string): URL | null {
  if (!/^bearer /i.test(challenge)) return null;
  const parameters = new Map<string, string>();
  for (const [, name = "", value = ""] of challenge.matchAll(/\b(\w+)="([^"]*)"/g))
    parameters.set(name.toLowerCase(), value);
  const url = URL.parse(parameters.get("realm") ?? "");
  if (url === null) return null;
  for (const name of ["service", "scope"]) {
    const value = parameters.get(name);
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url;
}

/** Maximum size of a token answer. Most have a few KiB. */
const maxTokenAnswer = 64 * 1024;

/** Reads the answer's text. Returns null, without reading the rest, if it is too long. */
async function shortText(answer: Response): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.length;
    // Leaving the loop ends the connection.
    if (size > maxTokenAnswer) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function tokenIn(text: string): string | null {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return null; // A page of a proxy has no token. The caller reports the registry's answer.
  }
  if (typeof body !== "object" || body === null) return null;
  const token = "token" in body ? body.token : "access_token" in body ? body.access_token : null;
  // Only characters that a header may contain.
  return typeof token === "string" && /^[\x21-\x7e]+$/.test(token) ? token : null;
}
