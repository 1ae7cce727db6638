import { describe, expect, it } from "vitest";
import { z } from "zod";
import { contractFaults, pairs } from "../../../.ci/contract.ts";
import { project } from "../../../src/contract/index.ts";

const faultsWith = (schema: z.ZodType) => contractFaults({ ...pairs, Project: { schema } });
const { description: _description, ...others } = project.shape;

describe("the protobuf file", () => {
  it("has the fields of the contract", () => {
    expect(contractFaults()).toEqual([]);
  });

  it.each([
    ["a field less", z.object(others), "Project.description is not in src/contract."],
    ["a field more", project.extend({ more: z.string() }), "Project.more is not in the protobuf file."],
    ["another type", project.extend({ name: z.int() }), "Project.name is string, and int in src/contract."],
    [
      "text instead of a time",
      project.extend({ created_at: z.string() }),
      "Project.created_at is Timestamp, and string in src/contract.",
    ],
    [
      "a field that may be absent",
      project.extend({ name: z.string().nullable() }),
      "Project.name is not optional, and it is in src/contract.",
    ],
  ])("does not agree with a contract that has %s", (_what, schema, fault) => {
    expect(faultsWith(schema)).toEqual([fault]);
  });

  it("has no message that the contract does not know", () => {
    const { Why: _why, ...known } = pairs;
    expect(contractFaults(known)).toContain("Why is not in src/contract.");
  });
});
