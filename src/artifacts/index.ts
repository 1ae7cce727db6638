/** Artifacts: immutable bytes on a filesystem, verified by SHA-256 on write and on every read. */

export { dockerCredentials } from "./docker-credentials.ts";
export { type FileSystem, nodeFileSystem, type StoredFile } from "./file-system.ts";
export { inspectImageArchive } from "./image-archive.ts";
export type { ImageArchive } from "./image-parts.ts";
export { createRegistry, type Registry, type RegistryOptions, registryHost } from "./registry.ts";
export { createArtifactStore } from "./store.ts";
export { tarStream } from "./tar-stream.ts";
export type {
  ArtifactReference,
  ArtifactStore,
  ArtifactStoreDeps,
  ByteRange,
  PutFilesRequest,
  PutRequest,
  RestoreRequest,
  StoredArtifact,
} from "./types.ts";
