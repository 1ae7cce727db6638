/** Artifacts: immutable bytes on a filesystem, verified by SHA-256 on write and on every read. */

export { tarStream } from "./archive/tar-stream.ts";
export { inspectImageArchive } from "./images/archive.ts";
export { dockerCredentials } from "./images/docker-credentials.ts";
export type { ImageArchive } from "./images/parts.ts";
export { createRegistry, type Registry, type RegistryOptions, registryHost } from "./images/registry.ts";
export { type FileSystem, nodeFileSystem, type StoredFile } from "./store/file-system.ts";
export { createArtifactStore } from "./store/store.ts";
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
