import { readFileSync } from 'node:fs';
import type { DemoRandom } from './random.js';

/** The sizes of real requests, from extracts of public traces. Their sources and licences stand in `demo-traces/README.md`. */
export interface Shape {
  readonly promptTokens: number;
  /** Those of the prompt that an earlier request had too. */
  readonly cachedTokens: number;
  readonly outputTokens: number;
}

export const traceNames = ['azure-2023-conversation', 'azure-2023-code', 'mooncake-conversation'] as const;
export type TraceName = (typeof traceNames)[number];

/** The same place from `src/demo` and from `dist/demo`. */
export const tracesFolder = new URL('../../demo-traces/', import.meta.url);

const parseTrace = (text: string): Shape[] => {
  const [head, ...lines] = text.trim().split('\n');
  const at = (name: string): number => head!.split(',').indexOf(name);
  const [prompt, cached, generated] = [at('prompt_tokens'), at('cached_tokens'), at('generated_tokens')];
  return lines.map((line) => {
    const fields = line.split(',').map(Number);
    return { promptTokens: fields[prompt]!, cachedTokens: cached < 0 ? 0 : fields[cached]!, outputTokens: fields[generated]! };
  });
};

export const readTrace = (name: TraceName): Shape[] => parseTrace(readFileSync(new URL(`${name}.csv`, tracesFolder), 'utf8'));

export type Traces = Readonly<Record<TraceName, readonly Shape[]>>;

export const readTraces = (): Traces => Object.fromEntries(traceNames.map((name) => [name, readTrace(name)])) as Record<TraceName, Shape[]>;

/** A request of a trace, within what its model takes and gives. */
export const drawShape = (traces: Traces, name: TraceName, random: DemoRandom, promptTokensMax: number, outputTokensMax: number): Shape => {
  const { promptTokens, cachedTokens, outputTokens } = random.pick(traces[name]);
  // Nobody's prompts are those of the trace to the token.
  const prompt = Math.max(1, Math.min(promptTokensMax, Math.round(promptTokens * random.logNormal(0.1))));
  return {
    promptTokens: prompt,
    cachedTokens: Math.min(cachedTokens, Math.floor((prompt - 1) / 512) * 512),
    outputTokens: Math.max(1, Math.min(outputTokensMax, Math.round(outputTokens * random.logNormal(0.15)))),
  };
};
