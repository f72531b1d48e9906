import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startCluster, type Cluster } from '../support/cluster.js';
import { defaultSale } from '../support/cluster-seed.js';
import { itNeeds, pythonPath } from '../support/requirements.js';
import { countPromptTokens } from '../support/vendor-answer.js';
import { instruct } from '../support/vendor-script.js';
import { startVendor, type Vendor } from '../support/vendor.js';

const PROGRAM = fileURLToPath(new URL('python-sdk.py', import.meta.url));
const PROGRAM_MS_MAX = 120_000;

let vendor: Vendor;
let cluster: Cluster;

beforeAll(async () => {
  vendor = await startVendor();
  const lanes = [{ baseUrl: vendor.baseUrl }];
  cluster = await startCluster({ models: [{ model: 'mock', lanes }, { model: 'dear', sale: { input: '1000000', output: '1000000' }, lanes }], grants: ['1'] });
});
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

describe('the official Python SDK', () => {
  itNeeds('python-openai')('works unchanged: both modes, exact costs, models, and its own exception classes', async () => {
    const { stdout } = await promisify(execFile)(pythonPath(), [PROGRAM, cluster.gatewayUrls[0]!, cluster.apiKey], { timeout: PROGRAM_MS_MAX });
    const prompt = countPromptTokens(instruct({ outputTokens: 7 }).replaceAll(':', ': '));
    const text = ' time year people way day man thing';
    expect(JSON.parse(stdout)).toMatchObject({
      json: { choices: [{ message: { content: text } }, { message: { content: text } }], usage: { prompt_tokens: prompt, completion_tokens: 14, cost: Number(defaultSale(prompt, 14)), cost_currency: 'USD', kilotoken: { charges: [{ unit: 'USD', amount: defaultSale(prompt, 14) }] } } },
      charge: defaultSale(prompt, 14),
      stream: { text, finish: ['stop'], usage: { completion_tokens: 7, cost: Number(defaultSale(prompt, 7)) } },
      legacy: ' time year people',
      models: expect.arrayContaining(['mock', 'dear']),
      raised: {
        key: { class: 'AuthenticationError', status: 401, code: 'invalid_api_key' },
        model: { class: 'NotFoundError', status: 404, code: 'model_not_found' },
        parameter: { class: 'BadRequestError', status: 400, code: 'unknown_parameter' },
        path: { class: 'NotFoundError', status: 404, code: 'not_found' },
        funds: { class: 'APIStatusError', status: 402, code: 'insufficient_quota' },
      },
    });
    expect(vendor.violations()).toEqual([]);
    await cluster.expectSettled();
  }, PROGRAM_MS_MAX + 10_000);
});
