import { describe, expect, it } from "vitest";
import {
  fillTemplate,
  parseTemplate,
  type TemplateVariables,
  templateVariableNames,
} from "../../../src/domain/index.ts";

const variables: TemplateVariables = {
  commit: "c0ffee",
  short_commit: "c0f",
  ref: "refs/heads/main",
  branch: "$(touch x) {{ .tag }}",
  tag: "",
  run_id: "id",
  run_number: "7",
  pipeline: "p",
};

describe("template variables", () => {
  it("fills every one, with and without the dot, and with any blanks", () => {
    for (const name of templateVariableNames) {
      expect(fillTemplate(`a{{ .${name} }}b{{${name}}}`, variables)).toBe(
        `a${variables[name]}b${variables[name]}`,
      );
      expect(fillTemplate(`{{\t.${name}}}`, variables)).toBe(variables[name]);
    }
  });

  it("leaves other text alone and fills once only", () => {
    expect(fillTemplate("", variables)).toBe("");
    expect(fillTemplate("a }} { b }", variables)).toBe("a }} { b }");
    expect(fillTemplate("{{ branch }}", variables)).toBe("$(touch x) {{ .tag }}");
    expect(fillTemplate("{{run_number}}}", variables)).toBe("7}");
  });

  it("names what is unknown and what is not closed", () => {
    expect(parseTemplate("a {{ .Commit }} {{ }} {{ constructor }} {{ ..ref }} {{ x").faults).toEqual([
      { kind: "unknown_variable", source: "{{ .Commit }}", name: "Commit" },
      { kind: "unknown_variable", source: "{{ }}", name: "" },
      { kind: "unknown_variable", source: "{{ constructor }}", name: "constructor" },
      { kind: "unknown_variable", source: "{{ ..ref }}", name: ".ref" },
      { kind: "unclosed", source: "{{ x", name: "" },
    ]);
    expect(() => fillTemplate("{{ nope }}", variables)).toThrow('"{{ nope }}" is not a template variable');
  });
});
