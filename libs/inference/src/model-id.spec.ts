import { describe, expect, it } from '@jest/globals';
import { modelIdOf } from './model-id.js';

describe('the id of a model in a file', () => {
  it.each([
    ['/models/SmolLM2-135M-Instruct.Q4_1.gguf', 'smollm2-135m-instruct'],
    ['Qwen2.5-0.5B-Instruct-Q4_K_M.gguf', 'qwen2.5-0.5b-instruct'],
    ['C:\\models\\gemma-3-270m-it-IQ3_XS.gguf', 'gemma-3-270m-it'],
    ['Llama-3.3-70B-Instruct-Q8_0-00001-of-00002.gguf', 'llama-3.3-70b-instruct'],
    ['/models/hf_QuantFactory_SmolLM2-135M-Instruct.Q4_1.gguf', 'smollm2-135m-instruct'],
    ['phi-4-F16.gguf', 'phi-4'],
    ['gpt-oss-20b-mxfp4.gguf', 'gpt-oss-20b'],
    ['my model (1).gguf', 'my-model-1'],
    ['.gguf', 'local-model'],
    ['模型.gguf', 'local-model'],
  ])('%s is %s', (path, id) => {
    expect(modelIdOf(path)).toBe(id);
  });
});
