import { z } from 'zod';

/**
 * What the stand-in accepts: a vendor refuses what it does not know, so whatever the gateway passes on by accident (a
 * parameter of ours, a default that OpenAI does not document) shows as a 400 here. Source: OpenAI's API reference of
 * chat completions and completions.
 */

const streamOptions = z.strictObject({ include_usage: z.boolean().optional(), include_obfuscation: z.boolean().optional() });
const shared = {
  model: z.string().min(1),
  stream: z.boolean().nullish(),
  stream_options: streamOptions.nullish(),
  max_tokens: z.number().int().min(1).nullish(),
  n: z.number().int().min(1).max(128).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
  seed: z.number().int().nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: z.record(z.string(), z.number()).nullish(),
  user: z.string().optional(),
};

const textPart = z.looseObject({ type: z.string(), text: z.string().optional() });
const message = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content: z.union([z.string(), z.array(textPart)]).nullish(),
});

const chatSchema = z.strictObject({
  ...shared,
  messages: z.array(message).min(1),
  max_completion_tokens: z.number().int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.number().int().min(0).max(20).nullish(),
  response_format: z.looseObject({ type: z.string() }).optional(),
  tools: z.array(z.unknown()).optional(),
  tool_choice: z.unknown().optional(),
  parallel_tool_calls: z.boolean().optional(),
  reasoning_effort: z.string().nullish(),
  verbosity: z.string().nullish(),
  modalities: z.array(z.string()).nullish(),
  prediction: z.unknown().optional(),
  service_tier: z.string().nullish(),
  store: z.boolean().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  safety_identifier: z.string().optional(),
  prompt_cache_key: z.string().optional(),
});

const completionSchema = z.strictObject({
  ...shared,
  prompt: z.union([z.string(), z.array(z.string()).min(1)]),
  best_of: z.number().int().min(1).max(20).nullish(),
  echo: z.boolean().nullish(),
  logprobs: z.number().int().min(0).max(5).nullish(),
  suffix: z.string().nullish(),
});

export type VendorOperation = 'chat' | 'completion';

export interface VendorRequest {
  operation: VendorOperation;
  model: string;
  stream: boolean;
  includeUsage: boolean;
  /** Choices for each prompt. */
  choices: number;
  maxTokens: number | null;
  prompts: string[];
  /** Where an instruction may stand. */
  instruction: string;
}

/** Throws a ZodError for what a strict vendor would refuse. */
export function readVendorRequest(operation: VendorOperation, body: unknown): VendorRequest {
  if (operation === 'chat') {
    const chat = chatSchema.parse(body);
    const texts = chat.messages.map(textOf);
    const lastUser = chat.messages.findLast(({ role }) => role === 'user');
    return { ...sharedFields(operation, chat), maxTokens: chat.max_completion_tokens ?? chat.max_tokens ?? null, prompts: [texts.join('')], instruction: lastUser ? textOf(lastUser) : '' };
  }
  const completion = completionSchema.parse(body);
  const prompts = typeof completion.prompt === 'string' ? [completion.prompt] : completion.prompt;
  return { ...sharedFields(operation, completion), maxTokens: completion.max_tokens ?? null, prompts, instruction: prompts[0]! };
}

type SharedBody = Pick<z.infer<typeof chatSchema>, 'model' | 'stream' | 'stream_options' | 'n'>;

const sharedFields = (operation: VendorOperation, body: SharedBody): Pick<VendorRequest, 'operation' | 'model' | 'stream' | 'includeUsage' | 'choices'> => ({
  operation,
  model: body.model,
  stream: body.stream ?? false,
  includeUsage: body.stream_options?.include_usage ?? false,
  choices: body.n ?? 1,
});

const textOf = ({ content }: z.infer<typeof message>): string =>
  typeof content === 'string' ? content : (content ?? []).map(({ text }) => text ?? '').join('');
