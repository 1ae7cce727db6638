/** `shipinator.v1.ArtifactService`: what runs have made, to be had, and to be sent by executors. */
import type { ServiceImpl } from "@connectrpc/connect";
import { Problem } from "../../kernel/index.ts";
import type { UploadRequest } from "../../services/index.ts";
import { paced } from "../rest/paced.ts";
import type { Callers } from "./callers.ts";
import {
  type ArtifactService,
  GetArtifactResponseSchema,
  ListArtifactsResponseSchema,
  type UploadArtifactRequest,
  UploadArtifactResponseSchema,
  type UploadHeader,
} from "./generated/shipinator.ts";
import { message, numberOf, runOf } from "./messages.ts";
import type { AdmitStream } from "./pipelines.ts";

export function artifactService(callers: Callers, admit: AdmitStream): ServiceImpl<typeof ArtifactService> {
  return {
    async getArtifact({ id }, context) {
      const { client } = await callers.enter(context, "artifacts.get");
      return message(GetArtifactResponseSchema, { artifact: await client.artifact(id) });
    },
    async listArtifacts(request, context) {
      const { client } = await callers.enter(context, "runs.get");
      return message(ListArtifactsResponseSchema, { items: (await client.get(runOf(request))).artifacts });
    },
    async *downloadArtifact({ id, offset }, context) {
      const { client, callerKey } = await callers.enter(context, "artifacts.download");
      const found = await client.artifact(id);
      const start = numberOf(offset, "offset");
      if (start > found.size)
        throw new Problem("range_not_satisfiable", `${found.name} has ${found.size} bytes.`, {
          details: { size: found.size },
        });
      const leave = admit(callerKey);
      try {
        const range = start === 0 ? undefined : { start, end: found.size };
        for await (const data of client.download(found.id, context.signal, range)) yield { data };
      } finally {
        leave();
      }
    },
    async uploadArtifact(parts, context) {
      const iterator = parts[Symbol.asyncIterator]();
      const first = await iterator.next();
      if (first.done === true || first.value.part.case !== "header")
        throw new Problem("usage", "The first message of an upload must be its header.");
      const header = first.value.part.value;
      const callbacks = callers.executor(context, header.executionId);
      const payload = paced(payloadOf(iterator));
      const kept = await callbacks.upload(
        header.executorId ?? null,
        requestOf(header),
        payload,
        context.signal,
      );
      return message(UploadArtifactResponseSchema, kept);
    },
  };
}

async function* payloadOf(parts: AsyncIterator<UploadArtifactRequest>): AsyncGenerator<Uint8Array> {
  for (;;) {
    const next = await parts.next();
    if (next.done === true) return;
    if (next.value.part.case !== "data")
      throw new Problem("usage", "An upload has nothing but data after its header.");
    yield next.value.part.value;
  }
}

function requestOf({ name, sha256, size, form, path, mode, files }: UploadHeader): UploadRequest {
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw new Problem("usage", "sha256 must be 64 hex digits.", { place: "sha256" });
  if (form !== "" && form !== "file" && form !== "tar")
    throw new Problem("usage", "The form must be file or tar.", { place: "form" });
  return {
    name,
    sha256,
    size: numberOf(size, "size"),
    form: form === "" ? "file" : form,
    path: path ?? null,
    mode: mode ?? null,
    files: files ?? null,
  };
}
