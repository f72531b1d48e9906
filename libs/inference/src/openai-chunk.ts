import { completionTokens, promptTokens, readUsage } from '@kilotoken/contracts';
import { z } from 'zod';
import type { FinishReason, RunSink, TokenUsage } from './engine.js';

/**
 * Reads the events of a stream in OpenAI's format, of chat and of legacy completions. Throws an Error for what is none:
 * better an answer that fails than one that is short and looks complete.
 */
const usageSchema = z.looseObject({}).nullish();

const chunkSchema = z.object({
  choices: z
    .array(
      z.object({
        index: z.int().min(0),
        delta: z.object({ content: z.string().nullish() }).optional(),
        text: z.string().nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .nullish(),
  usage: usageSchema,
  error: z.looseObject({}).nullish(),
});

const finishReasons: ReadonlySet<string> = new Set<FinishReason>(['stop', 'length', 'content_filter']);

export interface StreamReader {
  /** The data of one event. */
  read(data: string): void;
  /** Throws unless the stream was whole: every choice finished, and the mark of its end came. */
  end(): void;
}

export const createStreamReader = (choices: readonly number[], sink: RunSink): StreamReader => {
  const open = new Set(choices);
  let latest: TokenUsage | null = null;
  let done = false;

  const takeUsage = (usage: unknown): void => {
    const { counts, prompt, completion, ignored } = readUsage(usage);
    if (prompt === 'missing' || completion === 'missing') {
      if (ignored.length > 0) throw new Error(`impossible usage: ${ignored.join(', ')}`);
      return;
    }
    const next = { promptTokens: promptTokens(counts), completionTokens: completionTokens(counts) };
    // Counts that shrink would mean that tokens which were told of, and may be billed, were never made.
    if (latest && next.completionTokens < latest.completionTokens) throw new Error('the count of tokens went down');
    latest = next;
    sink.usage(next);
  };

  return {
    read: (data) => {
      if (done) throw new Error('something follows the end of the stream');
      if (data === '[DONE]') {
        done = true;
        return;
      }
      const chunk = chunkSchema.parse(JSON.parse(data));
      if (chunk.error) throw new Error('the stream ended with an error');
      takeUsage(chunk.usage);
      for (const { index, delta, text, finish_reason: reason } of chunk.choices ?? []) {
        if (!open.has(index)) throw new Error(`choice ${index} was not asked for, or is finished`);
        const piece = delta?.content ?? text ?? '';
        if (piece !== '') sink.text(index, piece);
        if (reason == null) continue;
        if (!finishReasons.has(reason)) throw new Error(`a finish reason that text cannot have: ${reason.slice(0, 40)}`);
        open.delete(index);
        sink.finish(index, reason as FinishReason);
      }
    },
    end: () => {
      if (!done || open.size > 0) throw new Error('the stream ended before the answer did');
    },
  };
};
