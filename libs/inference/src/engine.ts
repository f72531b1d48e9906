/**
 * An engine turns prompts into text and counts exactly; it does not queue, bill or speak HTTP.
 *
 * A request is planned first: the prompt is counted and the request is cut into runs, the units that enter a batch. In
 * process each choice is a run of its own, so that a request of sixteen choices never waits for sixteen free places at
 * once; a server elsewhere gets all choices in one run, since it shares their prompt. Then each run is run:
 *
 *   const plan = engine.plan(request);            // throws an AppError for what cannot be answered
 *   await engine.run(plan.runs[0], sink, signal); // settles when nothing of it is left in the engine
 */
export type FinishReason = 'stop' | 'length' | 'content_filter';

export interface TokenUsage {
  readonly promptTokens: number;
  /** Tokens that the model made, also those of a stop string. The token that ends a generation is not counted: nobody gets it. */
  readonly completionTokens: number;
}

export interface ChatTurn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export type Prompt =
  | { readonly kind: 'chat'; readonly messages: readonly ChatTurn[] }
  /** Legacy completions: each text is continued by itself. */
  | { readonly kind: 'text'; readonly texts: readonly string[] };

export interface Sampling {
  /** 0 always takes the likeliest token. */
  readonly temperature: number;
  readonly topP: number;
  /** Null: another one each time. */
  readonly seed: number | null;
  /** The answer ends before the first of these. */
  readonly stop: readonly string[];
}

export interface GenerationRequest {
  readonly prompt: Prompt;
  /** Answers to each prompt. The choices of prompt p are p × choicesPerPrompt and those that follow. */
  readonly choicesPerPrompt: number;
  /** Tokens of each answer at most; null is what the context has room for. An answer also ends where its context does. */
  readonly maxTokens: number | null;
  readonly sampling: Sampling;
}

/** The unit that enters a batch as a whole. */
export interface Run {
  /** The choices that it answers, by index. */
  readonly choices: readonly number[];
  readonly sequences: number;
  /** The most that its part of the KV cache can hold: prompt and answer of each sequence. */
  readonly kvTokens: number;
}

export interface Plan<R extends Run = Run> {
  /** Exact, each prompt once however many answers it gets; null when only the engine's server can count. */
  readonly promptTokens: number | null;
  readonly runs: readonly R[];
}

/** Where a run tells what it makes, in order. Nothing is told once the signal is aborted or the run has settled. */
export interface RunSink {
  /** Exact counts of this run so far, told before the text that they paid for. Tokens whose text is held back are counted. */
  usage(usage: TokenUsage): void;
  /** Whole characters, never empty, never a part of a stop string. */
  text(choice: number, text: string): void;
  finish(choice: number, reason: FinishReason): void;
}

export interface Engine<R extends Run = Run> {
  readonly modelId: string;
  readonly kind: 'llama.cpp' | 'openai' | 'loopback';
  /** Tokens of prompt and answer together. */
  readonly contextTokens: number;
  /** Counts and cuts up. Throws an AppError when the prompt does not fit. */
  plan(request: GenerationRequest): Plan<R>;
  /** Resolves when all choices are finished, or soon after the signal is aborted; rejects with an AppError. */
  run(run: R, sink: RunSink, signal: AbortSignal): Promise<void>;
  /** Rejects when it could not answer at the moment. */
  check(): Promise<void>;
  close(): Promise<void>;
}
