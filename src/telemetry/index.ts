export { startTraces, type Traces, type TracesOptions } from "./traces.ts";
