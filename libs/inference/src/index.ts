export * from './dispatch.js';
export * from './dispatcher.service.js';
export * from './engine.js';
export { gpuFolderOf, gpuPackageFolderOf } from './gpu-folder.js';
export { loadLlamaEngine, type LlamaSettings } from './llama.engine.js';
export { localModelDefaults } from './local-model.js';
export { countLoopbackTokens, createLoopbackEngine, loopbackContextTokens, loopbackModelId, type LoopbackSettings } from './loopback.engine.js';
export { modelIdOf } from './model-id.js';
export { createOpenAiEngine, type OpenAiEngineSettings } from './openai.engine.js';
