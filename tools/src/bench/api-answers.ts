import type { ApiOperation } from './api-operations.js';
import type { ApiRequest } from './api-order.js';

/** Proves that both sides give the same answers, byte for byte but for GraphQL's envelope, before anything is measured. */

/** Requests of a side with the length of the answer that was right. */
export interface ProvenOperation {
  readonly name: string;
  readonly api: readonly (ApiRequest & { answerBytes: number })[];
  readonly bare: readonly (ApiRequest & { answerBytes: number })[];
}

const answerMsMax = 60_000;

/** The burn rate follows the clock: between two answers a request may leave its window, which is one of some hundred with fewest rows. */
const clockFields = /"burnPerDay":"([\d.]+)","runsOutOn":(?:null|"([^"]+)")/g;
const relativeApart = 1e-2;

const ask = async (origin: string, { path, method, headers, body }: ApiRequest): Promise<string> => {
  const response = await fetch(`${origin}${path}`, { method, headers, body, signal: AbortSignal.timeout(answerMsMax) });
  const text = (await response.text()).trimEnd();
  if (response.status !== 200) throw new Error(`${method} ${path} answered ${response.status}: ${text.slice(0, 500)}`);
  return text;
};

const isSame = (envelope: string, plain: string): boolean => {
  const still = (text: string): string => text.replace(clockFields, '');
  if (still(envelope) !== still(`{"data":${plain}}`)) return false;
  const [theirs, ours] = [[...envelope.matchAll(clockFields)], [...plain.matchAll(clockFields)]];
  const near = (a: number, b: number): boolean => Math.abs(a - b) <= relativeApart * Math.abs(a);
  return theirs.every(([, burn, day = ''], index) => {
    const [, ourBurn, ourDay = ''] = ours[index]!;
    return near(Number(burn), Number(ourBurn)) && (day === ourDay || near(Date.parse(day), Date.parse(ourDay)));
  });
};

const firstDifference = (envelope: string, plain: string): string => {
  const other = `{"data":${plain}}`;
  const at = [...envelope].findIndex((character, index) => character !== other[index]);
  const from = Math.max(0, at - 100);
  return `\n  api:  …${envelope.slice(from, at + 200)}\n  bare: …${other.slice(from, at + 200)}`;
};

export const proveAnswers = async (origins: { api: string; bare: string }, operation: ApiOperation): Promise<ProvenOperation> => {
  const proven = { name: operation.name, api: [] as ProvenOperation['api'][number][], bare: [] as ProvenOperation['bare'][number][] };
  for (const [index, graphql] of operation.graphql.entries()) {
    const bare = operation.bare[index]!;
    const envelope = await ask(origins.api, graphql);
    const plain = await ask(origins.bare, bare);
    if (!isSame(envelope, plain)) throw new Error(`the answers to ${operation.name} (${bare.path}) differ:${firstDifference(envelope, plain)}`);
    proven.api.push({ ...graphql, answerBytes: Buffer.byteLength(envelope) });
    proven.bare.push({ ...bare, answerBytes: Buffer.byteLength(plain) });
  }
  return proven;
};
