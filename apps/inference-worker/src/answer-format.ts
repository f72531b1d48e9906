import type { FinishReason, TokenUsage } from '@kilotoken/inference';
import type { Operation, WorkerRequest } from './generation-request.js';

/** Answers in OpenAI's format. A chunk is written for every token, so its fixed parts are made once an answer. */
export interface AnswerIdentity {
  readonly id: string;
  readonly operation: Operation;
  readonly model: string;
  readonly createdSeconds: number;
}

/** `cached_tokens`: prompts are computed anew each time, so nothing is read from a cache. */
const usageBody = ({ promptTokens, completionTokens }: TokenUsage) => ({
  prompt_tokens: promptTokens,
  completion_tokens: completionTokens,
  total_tokens: promptTokens + completionTokens,
  prompt_tokens_details: { cached_tokens: 0 },
});

export interface AnsweredChoice {
  readonly text: string;
  readonly reason: FinishReason;
}

/** Usage is left out where the engine's server did not tell: a count that nobody knows is not zero. */
export const jsonAnswer = ({ id, operation, model, createdSeconds }: AnswerIdentity, choices: readonly AnsweredChoice[], usage: TokenUsage | null): string =>
  JSON.stringify({
    id,
    object: operation,
    created: createdSeconds,
    model,
    choices: choices.map(({ text, reason }, index) => ({
      index,
      ...(operation === 'chat.completion' ? { message: { role: 'assistant', content: text, refusal: null } } : { text }),
      logprobs: null,
      finish_reason: reason,
    })),
    ...(usage ? { usage: usageBody(usage) } : {}),
  });

export interface ChunkWriter {
  text(choice: number, text: string, usage: TokenUsage | null): string;
  finish(choice: number, reason: FinishReason, usage: TokenUsage | null): string;
  /** The last chunks: usage where it was asked for and is known, and the mark of the end. */
  end(usage: TokenUsage | null): string;
}

export const createChunkWriter = (identity: AnswerIdentity, { includeUsage, continuousUsage }: NonNullable<WorkerRequest['stream']>): ChunkWriter => {
  const { id, operation, model, createdSeconds } = identity;
  const isChat = operation === 'chat.completion';
  const object = isChat ? 'chat.completion.chunk' : operation;
  const head = `data: ${JSON.stringify({ id, object, created: createdSeconds, model }).slice(0, -1)},"choices":[`;
  const begun = new Set<number>();

  const tail = (usage: TokenUsage | null): string => {
    // OpenAI writes a null into every chunk but the last when usage is asked for; vLLM the counts so far when told to.
    if (continuousUsage && usage) return `],"usage":${JSON.stringify(usageBody(usage))}}\n\n`;
    return includeUsage ? '],"usage":null}\n\n' : ']}\n\n';
  };
  const choiceChunk = (choice: number, said: string, reason: string, usage: TokenUsage | null): string =>
    `${head}{"index":${choice},${said},"logprobs":null,"finish_reason":${reason}}${tail(usage)}`;
  /** The first delta of a choice says whose it is. */
  const roleOf = (choice: number): string => {
    if (begun.has(choice)) return '';
    begun.add(choice);
    return '"role":"assistant",';
  };

  return {
    text: (choice, text, usage) => {
      const said = isChat ? `"delta":{${roleOf(choice)}"content":${JSON.stringify(text)}}` : `"text":${JSON.stringify(text)}`;
      return choiceChunk(choice, said, 'null', usage);
    },
    finish: (choice, reason, usage) => {
      const said = !isChat ? '"text":""' : begun.has(choice) ? '"delta":{}' : `"delta":{${roleOf(choice)}"content":""}`;
      return choiceChunk(choice, said, JSON.stringify(reason), usage);
    },
    end: (usage) => `${includeUsage && usage ? `${head}],"usage":${JSON.stringify(usageBody(usage))}}\n\n` : ''}data: [DONE]\n\n`,
  };
};
