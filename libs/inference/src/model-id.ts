/** `Q4_1`, `IQ3_XS`, `Q4_K_M`, `F16`, `BF16`, …: how a file was quantized is no part of its model's name. */
const quantization = /[-._](?:i?q\d\w*|b?f16|f32|fp16|mxfp4\w*)$/;
const part = /-\d{5}-of-\d{5}$/;
/** node-llama-cpp puts the owner before the name of a file from Hugging Face. */
const downloadedFrom = /^hf_[^_]+_/;

/**
 * The id that a model in a GGUF file is served under, from the file's name alone, so that who finds the file and who serves
 * it agree:
 *
 *   /models/SmolLM2-135M-Instruct.Q4_1.gguf → smollm2-135m-instruct
 */
export const modelIdOf = (path: string): string => {
  const name = (path.split(/[\\/]/).at(-1) ?? '').toLowerCase().replace(/\.gguf$/, '').replace(part, '').replace(downloadedFrom, '');
  const id = name
    .replace(quantization, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[-._]+|[-._]+$/g, '');
  return id === '' ? 'local-model' : id;
};
