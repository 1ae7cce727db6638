/** The pipeline file's name, in the root of the workspace. */
export const PIPELINE_FILE = ".shipinator.yaml";
