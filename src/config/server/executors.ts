/** The configuration section of each executor: its settings with their defaults, and what it cannot do without. */
import { type ExecutorType, type Setting, settings } from "./settings.ts";

export interface LocalSection {
  readonly slots: number;
  /** Null for the program's own account. Root must be named explicitly. */
  readonly user: string | null;
  /** Handling of a step's `image`, which the local executor does not use. */
  readonly image: "ignore" | "refuse";
  /** A pool of accounts in place of `user`; each project has one to itself. Empty when unused. */
  readonly users: readonly string[];
  readonly home: "project" | "shared";
  readonly minFreeBytes: number;
  readonly logCapBytes: number;
  readonly graceSeconds: number;
}

export interface RemoteSection {
  /** Program and arguments. Null only with another executor. */
  readonly launch: readonly string[] | null;
  /** Null for the listen address. */
  readonly url: string | null;
  readonly slots: number;
  readonly pendingSeconds: number;
  readonly silenceSeconds: number;
}

interface Sections {
  readonly local: LocalSection;
  readonly remote: RemoteSection;
}

type Reader = <T>(setting: Setting<T>) => T | undefined;

export interface ExecutorSection<Section> {
  read(read: Reader, machine: { readonly cores: number }): Section;
  /** The fault of a configuration that chooses this executor, or null. */
  faultOf(config: Sections): string | null;
}

export const executorSections: { readonly [Type in ExecutorType]: ExecutorSection<Sections[Type]> } = {
  local: {
    read: (read, machine) => ({
      slots: read(settings.localSlots) ?? machine.cores,
      user: read(settings.localUser) ?? null,
      image: read(settings.localImage) ?? "ignore",
      users: read(settings.localUsers) ?? [],
      home: read(settings.localHome) ?? "project",
      minFreeBytes: read(settings.localMinFreeBytes) ?? 256 * 2 ** 20,
      logCapBytes: read(settings.localLogCap) ?? 64 * 2 ** 20,
      graceSeconds: read(settings.localGrace) ?? 10,
    }),
    faultOf: () => null,
  },
  remote: {
    read: (read) => ({
      launch: read(settings.remoteLaunch) ?? null,
      url: read(settings.remoteUrl) ?? null,
      slots: read(settings.remoteSlots) ?? 16,
      pendingSeconds: read(settings.remotePending) ?? 600,
      silenceSeconds: read(settings.remoteSilence) ?? 120,
    }),
    faultOf: ({ remote }) =>
      remote.launch === null
        ? "The remote executor needs remote.launch, a program that starts executors."
        : null,
  },
};
