/**
 * The load's request, the vendor's answers, and the check that an answer is complete. Pure. The bytes are always the same,
 * so that both sides of a comparison do the same work.
 */
import type { Mode } from './options.js';

export const benchModel = 'bench';
/** The chunks of a stream with content or a finish reason, each in its own write. One more write has usage and `[DONE]`. */
const streamChunks = 30;
const promptTokens = 48;
const completionTokens = 29;

const words = 'a utility meters what it sells and bills for what was used to the last digit and no more than that on any day of the year for every one of us'.split(' ');
const text = words.slice(0, completionTokens).map((word) => `${word} `);

export const requestBody = (mode: Mode): string =>
  JSON.stringify({
    model: benchModel,
    messages: [
      { role: 'system', content: 'You are a concise assistant. Answer in one sentence and do not repeat the question.' },
      { role: 'user', content: 'How does a utility meter, price and bill what it delivers to its customers over a day?' },
    ],
    max_tokens: 64,
    temperature: 0.2,
    ...(mode === 'stream' ? { stream: true, stream_options: { include_usage: true } } : {}),
  });

const usage = { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens };
const head = { id: 'chatcmpl-9d5ef1a63c0b4c2f', created: 1_750_000_000, model: benchModel };

export const jsonAnswer = Buffer.from(
  JSON.stringify({
    ...head,
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: text.join('') }, logprobs: null, finish_reason: 'stop' }],
    usage,
    system_fingerprint: 'fp_44709d6fcb',
  }),
);

const event = (choices: object[], rest: object = {}): string =>
  `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', system_fingerprint: 'fp_44709d6fcb', choices, ...rest })}\n\n`;

const choice = (delta: object, finishReason: string | null): object => ({ index: 0, delta, logprobs: null, finish_reason: finishReason });

/** A stream's writes, in order. */
export const streamWrites: readonly Buffer[] = [
  event([choice({ role: 'assistant', content: text[0]! }, null)]),
  ...text.slice(1).map((content) => event([choice({ content }, null)])),
  event([choice({}, 'stop')]),
  `${event([], { usage })}data: [DONE]\n\n`,
].map((written) => Buffer.from(written));

const eventsExpected = streamChunks + 2;

/** The fault of an answer with status 200; null when it is complete. */
export const problemWith = (mode: Mode, answer: string): string | null => (mode === 'json' ? problemWithJson(answer) : problemWithStream(answer));

const problemWithJson = (answer: string): string | null => {
  try {
    const { choices, usage: counted } = JSON.parse(answer) as { choices?: { message?: { content?: unknown }; finish_reason?: unknown }[]; usage?: { completion_tokens?: unknown } };
    if (choices?.[0]?.message?.content !== text.join('') || choices[0].finish_reason !== 'stop') return `another answer: ${answer.slice(0, 200)}`;
    return counted?.completion_tokens === completionTokens ? null : 'no usage';
  } catch {
    return `no JSON: ${answer.slice(0, 200)}`;
  }
};

const problemWithStream = (answer: string): string | null => {
  let events = 0;
  for (let at = answer.indexOf('data: '); at !== -1; at = answer.indexOf('data: ', at + 6)) events += 1;
  if (!answer.endsWith('data: [DONE]\n\n')) return `the stream has no end: ${answer.slice(-200)}`;
  if (events !== eventsExpected) return `${events} events instead of ${eventsExpected}`;
  return answer.includes('"finish_reason":"stop"') && answer.includes('"completion_tokens"') ? null : 'a part is missing';
};
