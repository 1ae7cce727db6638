import { describe, expect, it } from "vitest";
import { createAuditWriter } from "../../../src/services/auth/audit-writer.ts";
import type { NewAuditEntry } from "../../../src/store/index.ts";

const entry = (action: string): NewAuditEntry => ({
  by_name: "ada",
  token_id: null,
  action,
  project_id: null,
  entity_id: null,
  outcome: "done",
  request_id: null,
});

/** Saves when it is let to. */
function createSlowSave() {
  const batches: string[][] = [];
  const waiting: PromiseWithResolvers<void>[] = [];
  return {
    batches,
    save(entries: readonly NewAuditEntry[]): Promise<void> {
      batches.push(entries.map(({ action }) => action));
      const saved = Promise.withResolvers<void>();
      waiting.push(saved);
      return saved.promise;
    },
    next: () => waiting.shift(),
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("the audit's writer", () => {
  it("writes together what comes while it writes, in order", async () => {
    const slow = createSlowSave();
    const writer = createAuditWriter(slow.save, { error: () => undefined });
    const first = writer.write(entry("1"));
    await turn();
    const rest = ["2", "3", "4"].map((action) => writer.write(entry(action)));
    await turn();
    expect(slow.batches).toEqual([["1"]]);
    slow.next()?.resolve();
    await first;
    await turn();
    expect(slow.batches).toEqual([["1"], ["2", "3", "4"]]);
    let written = false;
    void Promise.all(rest).then(() => {
      written = true;
    });
    await turn();
    expect(written).toBe(false);
    slow.next()?.resolve();
    await Promise.all(rest);
  });

  it("logs what could not be written, and goes on", async () => {
    const slow = createSlowSave();
    const logged: unknown[] = [];
    const writer = createAuditWriter(slow.save, { error: (fields: unknown) => logged.push(fields) });
    const lost = writer.write(entry("lost"));
    await turn();
    slow.next()?.reject(new Error("the disk is full"));
    await lost;
    expect(logged).toEqual([{ audit: entry("lost"), error: "the disk is full" }]);
    const kept = writer.write(entry("kept"));
    await turn();
    slow.next()?.resolve();
    await kept;
    expect(slow.batches).toEqual([["lost"], ["kept"]]);
  });
});
