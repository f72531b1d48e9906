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
    readonly status: number,
  ) {
    super(message);
  }
}

interface Chunk {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly kilotoken?: { readonly charges?: Usage['charges'] };
  } | null;
  readonly error?: { readonly message?: string };
}

export async function* streamChat({ gatewayUrl, secret, model, messages, maxTokens, signal }: ChatQuestion): AsyncGenerator<ChatEvent> {
  const response = await fetch(`${gatewayUrl}/chat/completions`, {
    method: 'POST',
    signal,
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages, max_tokens: maxTokens, stream: true, stream_options: { include_usage: true } }),
  });
  if (!response.ok || response.body === null) throw new ChatRefusal(await readRefusal(response), response.status);
  const reader = response.body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array<ArrayBuffer>>).pipeThrough(new EventSourceParserStream()).getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    if (read.value.data === '[DONE]') return;
    yield* readChunk(JSON.parse(read.value.data) as Chunk, response.status);
  }
}

function* readChunk({ choices, usage, error }: Chunk, status: number): Generator<ChatEvent> {
  if (error) throw new ChatRefusal(error.message ?? '', status);
  const text = choices?.[0]?.delta?.content;
  if (text) yield { kind: 'text', text };
  if (usage) yield { kind: 'usage', usage: { inputTokens: usage.prompt_tokens, outputTokens: usage.completion_tokens, charges: usage.kilotoken?.charges ?? [] } };
}

const readRefusal = async (response: Response): Promise<string> => {
  const body = (await response.json().catch(() => null)) as { readonly error?: { readonly message?: string } } | null;
  return body?.error?.message ?? response.statusText;
};
