/** The note on a step's `image` where the local executor runs the step. */
export const unusedImage = (image: string): string =>
  `image ${JSON.stringify(image)} is not used: the local executor runs the step with what this machine has installed`;
