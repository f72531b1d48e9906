import { describe, expect, it } from '@jest/globals';
import { explainLoadFailure } from './load-failure.js';

const named = (name: string, message = name): Error => Object.assign(new Error(message), { name });
const attempt = { modelPath: '/m.gguf', device: false, platform: 'linux-riscv64' } as const;

describe('a model that could not be loaded', () => {
  it.each([
    ['no binary of the device', named('NoBinaryFoundError'), { ...attempt, device: 'vulkan' as const }, /^KILOTOKEN_GPU is wrong: no vulkan device or driver works here/],
    ['no binary at all', named('Error', 'NoBinaryFoundError'), attempt, /no llama.cpp for this machine \(linux-riscv64\)/],
    ['too little memory', named('InsufficientMemoryError', 'The context is too large'), attempt, /^WORKER_SLOTS is wrong/],
    ['a context that cannot be made', new Error('Failed to create context'), attempt, /^WORKER_SLOTS is wrong/],
    ['a damaged file', new Error('Failed to load model'), attempt, /^KILOTOKEN_MODEL_PATH is wrong: \/m.gguf could not be loaded \(Failed to load model\)/],
    ['something that is no error', 'odd', attempt, /could not be loaded \(odd\)/],
  ])('%s is told as the setting to change', (_name, error, tried, message) => {
    expect(explainLoadFailure(error, tried)).toMatch(message);
  });
});
