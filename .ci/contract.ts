// Compares api/v1/shipinator.proto with src/contract field by field: names, types, presence and the words of enums.
// `node .ci/contract.ts` is a part of `npm run check`.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { z } from "zod";
import { file_v1_shipinator as file } from "../src/api/rpc/generated/shipinator.ts";
import * as contract from "../src/contract/index.ts";

export interface Pair {
  readonly schema: z.ZodType;
  /** Fields of the message that stand elsewhere in REST: in the path, in a header, or in another form. */
  readonly ownFields?: readonly string[];
  /** Fields that REST alone has. */
  readonly restFields?: readonly string[];
}

const ofExecution = ["execution_id", "executor_id"];

/** Message → the contract's schema. Messages inside of these are compared with them. */
export const pairs: Readonly<Record<string, Pair>> = {
  Problem: { schema: contract.problem, restFields: ["type", "instance"] },
  Pipeline: { schema: contract.pipeline },
  Project: { schema: contract.project },
  Caller: { schema: contract.caller },
  RunSummary: { schema: contract.runSummary },
  Run: { schema: contract.runDetail },
  Transition: { schema: contract.event },
  Why: { schema: contract.why },
  ListPipelinesRequest: { schema: contract.pipelineFilter },
  ListPipelinesResponse: { schema: contract.pageOf(contract.pipeline) },
  UpdatePipelineRequest: { schema: contract.pipelineChange, ownFields: ["pipeline"] },
  ListProjectsRequest: { schema: contract.pageQuery },
  ListProjectsResponse: { schema: contract.pageOf(contract.project) },
  CreateProjectRequest: { schema: contract.newProject },
  UpdateProjectRequest: { schema: contract.projectChange, ownFields: ["project"] },
  TriggerRunRequest: { schema: contract.newRun, ownFields: ["pipeline"] },
  ListRunsRequest: { schema: contract.runFilter },
  ListRunsResponse: { schema: contract.pageOf(contract.runSummary) },
  CancelRunRequest: { schema: contract.runCancel, ownFields: ["run"] },
  // `failed` is `what` in REST.
  RetryRunRequest: { schema: contract.runRetry, ownFields: ["run", "failed"], restFields: ["what"] },
  ListArtifactsResponse: { schema: contract.listOf(contract.artifact) },
  UploadArtifactResponse: { schema: contract.uploaded },
  ClaimExecutionResponse: { schema: contract.claimed },
  BeginExecutionResponse: { schema: contract.begun },
  HeartbeatExecutionResponse: { schema: contract.heartbeat },
  // REST takes an artifact's id alone as well.
  ReportExecutionRequest: {
    schema: contract.report,
    ownFields: [...ofExecution, "artifacts"],
    restFields: ["artifacts"],
  },
  ReportExecutionResponse: { schema: contract.reported },
  AppendLogResponse: { schema: contract.logKept },
};

/** Messages whose content stands in paths, queries and headers of REST. */
const ownMessages = ["UploadHeader", "ReportedArtifact"];

/** The faults of all messages, a sentence each. */
export function contractFaults(given: Readonly<Record<string, Pair>> = pairs): readonly string[] {
  const compared = new Set<string>();
  const faults = Object.entries(given).flatMap(([name, pair]) => {
    const message = file.messages.find((one) => one.name === name);
    return message === undefined ? [`${name} is no message.`] : messageFaults(message, pair, compared);
  });
  const left = file.messages.filter(({ name }) => !compared.has(name) && !ownMessages.includes(name));
  const forgotten = left.flatMap((message) =>
    /(Request|Response)$/.test(message.name)
      ? message.fields
          .filter(({ message: inner }) => inner !== undefined && !isKnown(inner, compared))
          .map((field) => `${message.name}.${field.name} is a message that is not in src/contract.`)
      : [`${message.name} is not in src/contract.`],
  );
  return [...faults, ...forgotten];
}

const isKnown = ({ name, file: from }: DescMessage, compared: ReadonlySet<string>) =>
  from !== file || compared.has(name) || ownMessages.includes(name);

/** As much of JSON Schema as zod makes of the contract. */
interface Shape {
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly items?: Shape;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly anyOf?: readonly Shape[];
  readonly allOf?: readonly Shape[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Shape>>;
}

function messageFaults(message: DescMessage, pair: Pair, compared: Set<string>): readonly string[] {
  const shape = z.toJSONSchema(pair.schema) as Shape;
  const named = (reference: string) => shape.$defs?.[reference.split("/").at(-1) ?? ""] ?? {};
  return shapeFaults(message, withoutNull(shape, named).plain, { ...pair, named, compared });
}

interface Comparison extends Omit<Pair, "schema"> {
  readonly named: (reference: string) => Shape;
  readonly compared: Set<string>;
}

function shapeFaults(message: DescMessage, shape: Shape, comparison: Comparison): readonly string[] {
  const { ownFields = [], restFields = [], named, compared } = comparison;
  compared.add(message.name);
  const required = new Set(shape.required);
  const wire = new Map(
    Object.entries(shape.properties ?? {}).map(([name, one]) => [snake(name), { name, one }]),
  );
  for (const name of restFields) wire.delete(name);
  const faults: string[] = [];
  for (const field of message.fields) {
    if (ownFields.includes(field.name)) continue;
    const place = `${message.name}.${field.name}`;
    const found = wire.get(field.name);
    wire.delete(field.name);
    if (found === undefined) {
      faults.push(`${place} is not in src/contract.`);
      continue;
    }
    const { plain, nullable } = withoutNull(found.one, named);
    const mayBeAbsent = nullable || !required.has(found.name);
    const fault = fieldFault(field, plain, mayBeAbsent, message.name.endsWith("Request"));
    if (fault !== null) faults.push(`${place} ${fault}`);
    else if (field.message?.file === file) {
      faults.push(...shapeFaults(field.message, plain.items ?? plain, { named, compared }));
    }
  }
  for (const name of wire.keys()) faults.push(`${message.name}.${name} is not in the protobuf file.`);
  return faults;
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function withoutNull(shape: Shape, named: (reference: string) => Shape): { plain: Shape; nullable: boolean } {
  if (shape.$ref !== undefined) return withoutNull(named(shape.$ref), named);
  if (typeof shape.type === "object") {
    const [type = "", ...more] = shape.type.filter((one) => one !== "null");
    return { plain: { ...shape, type: more.length === 0 ? type : "union" }, nullable: true };
  }
  const choices = shape.anyOf ?? shape.allOf;
  const [plain, ...others] = choices?.filter(({ type }) => type !== "null") ?? [shape];
  if (plain === undefined || others.length > 0) return { plain: { type: "union" }, nullable: false };
  if (plain === shape) {
    const items = shape.items && withoutNull(shape.items, named).plain;
    return { plain: { ...shape, ...(items && { items }) }, nullable: false };
  }
  return { plain: withoutNull(plain, named).plain, nullable: shape.anyOf !== undefined };
}

function fieldFault(field: DescField, shape: Shape, mayBeAbsent: boolean, isRequest: boolean): string | null {
  const [wanted, found] = [wireType(shape), protoType(field)];
  if (found !== wanted) return `is ${found}, and ${wanted} in src/contract.`;
  // A list or a message is absent by itself, and a request's absent `bool` is false.
  if (field.fieldKind !== "scalar" || (isRequest && found === "bool")) return null;
  const { proto3Optional } = field.proto;
  if (proto3Optional === mayBeAbsent) return null;
  return proto3Optional
    ? "is optional, and never absent in src/contract."
    : "is not optional, and it is in src/contract.";
}

function wireType({ type, format, items, properties, additionalProperties }: Shape): string {
  if (type === "array") return `repeated ${wireType(items ?? {})}`;
  if (type === "object")
    return properties === undefined && additionalProperties !== undefined ? "map" : "message";
  if (type === "string") return format === "date-time" ? "Timestamp" : "string";
  if (type === "boolean") return "bool";
  if (type === "integer") return "int";
  if (type === "number") return "double";
  return type === undefined ? "Value" : String(type);
}

function protoType(field: DescField): string {
  if (field.fieldKind === "map") return "map";
  const one = field.message === undefined ? scalarType(field.scalar) : messageType(field.message);
  return field.fieldKind === "list" ? `repeated ${one}` : one;
}

const messageType = ({ file: from, name }: DescMessage) => (from === file ? "message" : name);

function scalarType(scalar: ScalarType | undefined): string {
  switch (scalar) {
    case ScalarType.INT32:
    case ScalarType.INT64:
      return "int";
    case ScalarType.STRING:
      return "string";
    case ScalarType.BOOL:
      return "bool";
    case ScalarType.DOUBLE:
      return "double";
    default:
      return `scalar ${scalar}`;
  }
}

if (import.meta.main) {
  const faults = contractFaults();
  for (const fault of faults) console.error(fault);
  console.log(`${faults.length} differences between the protobuf file and src/contract`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
