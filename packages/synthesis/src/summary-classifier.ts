/** Classifiers that see only a summary of an image: what the benchmark must hide from them, its tests show. */
export interface Example {
  readonly features: readonly number[];
  readonly label: number;
}

const bins = 12;

/** Mean, standard deviation and histogram of each colour, of all pixels or of those where `mask` is not 0; and how many are dark. */
export function colourFeatures(pixels: Uint8Array, mask?: Uint8Array): readonly number[] {
  const features: number[] = [];
  let dark = 0;
  let count = 0;
  for (let channel = 0; channel < 3; channel += 1) {
    const histogram = Array.from({ length: bins }, () => 0);
    let sum = 0;
    let squares = 0;
    count = 0;
    for (let i = 0; i * 3 < pixels.length; i += 1) {
      if (mask !== undefined && mask[i] === 0) continue;
      const value = pixels[3 * i + channel] ?? 0;
      const bin = Math.min(bins - 1, Math.floor((value * bins) / 256));
      histogram[bin] = (histogram[bin] ?? 0) + 1;
      sum += value;
      squares += value * value;
      count += 1;
      // Where red is dark, a nucleus is.
      if (channel === 0 && value < 150) dark += 1;
    }
    const mean = sum / count;
    features.push(mean, Math.sqrt(Math.max(0, squares / count - mean * mean)), ...histogram.map((n) => n / count));
  }
  return [...features, dark / count];
}

/** Mean absolute difference of neighbouring pixels, both in the mask, over their standard deviation. */
export function textureFeatures(pixels: Uint8Array, mask: Uint8Array, width: number): readonly number[] {
  let steps = 0;
  let pairs = 0;
  const values: number[] = [];
  mask.forEach((value, i) => {
    if (value === 0) return;
    const here = pixels[3 * i] ?? 0;
    values.push(here);
    for (const next of [i + 1, i + width]) {
      if (mask[next] !== 255) continue;
      steps += Math.abs(here - (pixels[3 * next] ?? 0));
      pairs += 1;
    }
  });
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / values.length;
  return [steps / pairs / Math.sqrt(variance)];
}

const folds = 5;
const epochs = 200;
const rate = 0.5;
const weightDecay = 0.01;

/** Accuracy of logistic regression (two classes, standardised features) on folds that it was not fitted on. */
export function crossValidatedAccuracy(examples: readonly Example[]): number {
  const standard = standardised(examples);
  let right = 0;
  for (let fold = 0; fold < folds; fold += 1) {
    // Blocks in the order of the examples, so that labels that take turns are in every fold.
    const isTest = (i: number): boolean => Math.floor((i * folds) / standard.length) === fold;
    const weights = fitted(standard.filter((_, i) => !isTest(i)));
    right += standard.filter((example, i) => isTest(i) && score(weights, example) > 0 === (example.label === 1)).length;
  }
  return right / standard.length;
}

function standardised(examples: readonly Example[]): readonly Example[] {
  const width = examples[0]?.features.length ?? 0;
  const columns = Array.from({ length: width }, (_, j) => {
    const values = examples.map(({ features }) => features[j] ?? 0);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / values.length;
    return { mean, scale: variance > 1e-12 ? 1 / Math.sqrt(variance) : 0 };
  });
  return examples.map(({ features, label }) => ({
    label,
    features: [1, ...columns.map(({ mean, scale }, j) => ((features[j] ?? 0) - mean) * scale)],
  }));
}

function fitted(examples: readonly Example[]): readonly number[] {
  let weights = (examples[0]?.features ?? []).map(() => 0);
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    const gradient = weights.map((weight) => weightDecay * weight);
    for (const example of examples) {
      const error = 1 / (1 + Math.exp(-score(weights, example))) - example.label;
      example.features.forEach((feature, j) => {
        gradient[j] = (gradient[j] ?? 0) + (error * feature) / examples.length;
      });
    }
    weights = weights.map((weight, j) => weight - rate * (gradient[j] ?? 0));
  }
  return weights;
}

function score(weights: readonly number[], { features }: Example): number {
  return features.reduce((sum, feature, j) => sum + feature * (weights[j] ?? 0), 0);
}
