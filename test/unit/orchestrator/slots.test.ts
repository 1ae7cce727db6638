import { describe, expect, it } from "vitest";
import { type ExecutionId, newId } from "../../../src/kernel/index.ts";
import { createSlots } from "../../../src/orchestrator/scheduling/slots.ts";

const ids = () => [newId<ExecutionId>(), newId<ExecutionId>(), newId<ExecutionId>()] as const;

describe("slots", () => {
  it("are taken in order up to the limit and given back once", () => {
    const [a, b, c] = ids();
    const slots = createSlots(2);
    expect(slots.acquire([a, b, c])).toEqual([a, b]);
    expect(slots.acquire([c])).toEqual([]);
    slots.release(a);
    slots.release(a);
    expect(slots.free).toBe(1);
    expect(slots.acquire([c])).toEqual([c]);
  });

  it("are held by what runs already, over the limit too", () => {
    const [a, b, c] = ids();
    const slots = createSlots(1);
    for (const id of [a, b, b]) slots.occupy(id);
    expect(slots.free).toBe(0);
    slots.release(a);
    expect(slots.acquire([c])).toEqual([]);
    slots.release(b);
    expect(slots.acquire([c])).toEqual([c]);
  });

  it("are set aside for a claim, so that nobody else takes them meanwhile", () => {
    const [a, b, c] = ids();
    const slots = createSlots(2);
    slots.occupy(a);
    expect(slots.reserve(5)).toBe(1);
    expect(slots.reserve(1)).toBe(0);
    expect(slots.acquire([b])).toEqual([]);
    slots.unreserve(1);
    expect(slots.acquire([b, c])).toEqual([b]);
  });
});
