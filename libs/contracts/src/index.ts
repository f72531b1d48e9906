export * from './chat-completion.js';
export * from './completion.js';
export * from './json-body.js';
export * from './openai-error.js';
export * from './tokens.js';
export * from './price.js';
