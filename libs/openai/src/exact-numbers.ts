import { restoreNumbersIn } from '@kilotoken/contracts';
import type { ChatCompletionRequest } from './chat-completion.js';
import type { CompletionRequest } from './completion.js';

/** Parameters with free JSON in them; no number of theirs is looked at by the gateway. */
const freeJsonParameters: ReadonlySet<string> = new Set(['tools', 'functions', 'response_format', 'messages', 'guided_json', 'structured_outputs', 'chat_template_kwargs', 'mm_processor_kwargs']);

/** Puts the digits of long numbers back into an accepted request, in place. `text` is the body that it was read from. */
export const restoreNumbers = <Request extends ChatCompletionRequest | CompletionRequest>(request: Request, text: string): Request =>
  restoreNumbersIn(request, text, freeJsonParameters);
