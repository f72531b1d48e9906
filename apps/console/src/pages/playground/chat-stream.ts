import { EventSourceParserStream } from 'eventsource-parser/stream';

/** One streamed answer of the gateway, as any customer's program would ask for it. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly charges: readonly { readonly unit: string; readonly amount: string }[];
}

export interface ChatQuestion {
  readonly gatewayUrl: string;
  readonly secret: string;
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly maxTokens: number;
  readonly signal: AbortSignal;
}

export type ChatEvent = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'usage'; readonly usage: Usage };

/** The gateway's own sentence about why it refused. */
export class ChatRefusal extends Error {
  constructor(
    message: string,
    readonly code: string,
  ) {
    super(message);
  }
}

interface GatewayError {
  readonly message?: string;
  readonly code?: string | null;
}

interface Chunk {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly kilotoken?: { readonly charges?: Usage['charges'] };
  } | null;
  readonly error?: GatewayError;
}

export async function* streamChat({ gatewayUrl, secret, model, messages, maxTokens, signal }: ChatQuestion): AsyncGenerator<ChatEvent> {
  const response = await fetch(`${gatewayUrl}/chat/completions`, {
    method: 'POST',
    signal,
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages, max_tokens: maxTokens, stream: true, stream_options: { include_usage: true } }),
  });
  if (!response.ok || response.body === null) throw await readRefusal(response);
  const reader = response.body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array<ArrayBuffer>>).pipeThrough(new EventSourceParserStream()).getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    if (read.value.data === '[DONE]') return;
    yield* readChunk(JSON.parse(read.value.data) as Chunk);
  }
}

function* readChunk({ choices, usage, error }: Chunk): Generator<ChatEvent> {
  if (error) throw new ChatRefusal(error.message ?? '', error.code ?? '');
  const text = choices?.[0]?.delta?.content;
  if (text) yield { kind: 'text', text };
  if (usage) yield { kind: 'usage', usage: { inputTokens: usage.prompt_tokens, outputTokens: usage.completion_tokens, charges: usage.kilotoken?.charges ?? [] } };
}

const readRefusal = async (response: Response): Promise<ChatRefusal> => {
  const body = (await response.json().catch(() => null)) as { readonly error?: GatewayError } | null;
  return new ChatRefusal(body?.error?.message ?? response.statusText, body?.error?.code ?? '');
};
