export * from './json-body.js';
export * from './openai-error.js';
export * from './tokens.js';
