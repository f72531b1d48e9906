export * from './dispatch.js';
export * from './dispatcher.service.js';
export * from './engine.js';
export { loadLlamaEngine, type LlamaSettings } from './llama.engine.js';
export { countLoopbackTokens, createLoopbackEngine, loopbackContextTokens, loopbackModelId, type LoopbackSettings } from './loopback.engine.js';
export { modelIdOf } from './model-id.js';
export { createOpenAiEngine, type OpenAiEngineSettings } from './openai.engine.js';
export * from './local-model.js';
