import { describe, expect, test } from '@jest/globals';
import { failureOfError, statusFailure } from './failure.js';

/**
 * What vendors answer, with where it was seen: issues of public repositories on GitHub, or `docs` where it is written as the
 * vendor describes it and nobody recorded it. Whatever the status, what is about our account goes to another lane and to
 * the operator, and none of it to the customer.
 */
type Case = readonly [what: string, status: number, body: unknown, source: string];

const openAi = (message: string, more: object = {}): object => ({ error: { message, type: 'invalid_request_error', param: null, code: null, ...more } });
const google = (code: number, message: string, status: string, details: object[] = []): object => ({ error: { code, message, status, details } });
const bodyOf = (body: unknown): Buffer => Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));

const keyInvalid = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID', domain: 'googleapis.com', metadata: { service: 'generativelanguage.googleapis.com' } }];

const account: readonly Case[] = [
  ['OpenAI: key', 401, openAi('Incorrect API key provided: sk-proj-********************XyZ1. You can find your API key at https://platform.openai.com/account/api-keys.', { code: 'invalid_api_key' }), 'docs, guides/error-codes'],
  ['OpenAI: quota', 429, openAi('You exceeded your current quota, please check your plan and billing details.', { type: 'insufficient_quota', code: 'insufficient_quota' }), 'Pythagora-io/gpt-pilot#340'],
  ['OpenAI: quota by type alone', 429, openAi('You exceeded your current quota, please check your plan and billing details.', { type: 'insufficient_quota' }), 'ayaka14732/ChatGPTAPIFree#16'],
  ['OpenAI: hard limit', 400, openAi('Billing hard limit has been reached', { code: 'billing_hard_limit_reached' }), 'docs, guides/error-codes'],
  ['OpenAI: deactivated', 401, openAi('Your OpenAI account has been deactivated, please check your email for more information.', { code: 'account_deactivated' }), 'docs, guides/error-codes'],
  ['OpenAI: model', 404, openAi('The model `gpt-5.4-internal` does not exist or you do not have access to it.', { code: 'model_not_found' }), 'docs, guides/error-codes'],
  ['OpenAI: model, as 400', 400, openAi("The requested model 'gpt-4-1106-preview' does not exist.", { param: 'model' }), 'samuelcardillo/StarCitizen-AI#1'],
  ['OpenAI: region', 403, { error: { code: 'unsupported_country_region_territory', message: 'Country, region, or territory not supported', param: null, type: 'request_forbidden' } }, 'home-assistant/core#120072'],
  ['OpenAI: organization', 400, openAi('Your organization must be verified to stream this model. Please go to: https://platform.openai.com/settings/organization/general', { param: 'stream', code: 'unsupported_value' }), 'openai/openai-python, seen by many'],
  ['Azure: deployment', 404, { error: { code: 'DeploymentNotFound', message: 'The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.' } }, 'chatboxai/chatbox#646'],
  ['Azure: key', 401, { error: { code: '401', message: 'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.' } }, 'docs'],
  ['Azure: operation', 400, { error: { code: 'OperationNotSupported', message: 'The chatCompletion operation does not work with the specified model, text-embedding-ada-002. Please choose different model and try again.' } }, 'docs'],
  ['Azure: path', 404, { error: { code: '404', message: 'Resource not found' } }, 'docs'],
  ['Anthropic: credit', 400, { type: 'error', error: { type: 'invalid_request_error', message: 'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.' } }, 'anthropics/claude-code#66314'],
  ['Anthropic: key', 401, { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } }, 'docs, api/errors'],
  ['Anthropic: model', 404, { type: 'error', error: { type: 'not_found_error', message: 'model: claude-9' } }, 'docs, api/errors'],
  ['Anthropic: disabled', 400, { type: 'error', error: { type: 'invalid_request_error', message: 'This organization has been disabled.' } }, 'anthropics/claude-code, seen by many'],
  ['Gemini: key', 400, google(400, 'API key not valid. Please pass a valid API key.', 'INVALID_ARGUMENT', keyInvalid), 'continuedev/continue#10748'],
  ['Gemini: key, as a list', 400, [google(400, 'API key not valid. Please pass a valid API key.', 'INVALID_ARGUMENT', keyInvalid)], 'docs, OpenAI compatibility'],
  ['Gemini: key, as a text in a text', 400, { error: { message: JSON.stringify(google(400, 'API key not valid. Please pass a valid API key.', 'INVALID_ARGUMENT', keyInvalid), null, 2), code: 400, status: 'Bad Request' } }, 'continuedev/continue#10290'],
  ['Gemini: location', 400, google(400, 'User location is not supported for the API use.', 'FAILED_PRECONDITION'), 'poenl/gemini-api#4'],
  ['Gemini: expired', 400, google(400, 'API key expired. Please renew the API key.', 'INVALID_ARGUMENT'), 'docs, troubleshooting'],
  ['Google: service disabled', 403, google(403, 'Generative Language API has not been used in project 123456789012 before or it is disabled.', 'PERMISSION_DENIED', [{ reason: 'SERVICE_DISABLED' }]), 'docs'],
  ['Gemini: model', 404, [google(404, 'models/gemini-0 is not found for API version v1main, or is not supported for generateContent.', 'NOT_FOUND')], 'docs, troubleshooting'],
  ['Mistral: key', 401, { detail: 'Unauthorized' }, 'agent0ai/agent-zero#539'],
  ['Mistral: key', 401, { message: 'Unauthorized', request_id: '933f233947ff6d346065bb297e4a4d56' }, 'coolcline/CoolCline#36'],
  ['Mistral: model', 400, { object: 'error', message: 'Invalid model: mistral-huge', type: 'invalid_model', param: null, code: '1500' }, 'docs'],
  ['Groq: restricted', 400, openAi('Organization has been restricted. Please reach out to support if you believe this was in error.', { code: 'organization_restricted' }), 'crewAIInc/crewAI#783'],
  ['Groq: model', 400, openAi('The model `mixtral-8x7b-32768` has been decommissioned and is no longer supported. Please refer to https://console.groq.com/docs/deprecations', { code: 'model_decommissioned' }), 'docs, deprecations'],
  ['Together: credit', 402, { id: 'o3LiXw4-62bZhn-96040daf687810ab', error: { message: 'Credit limit exceeded. Please navigate to https://api.together.xyz/settings/billing to add credit or upgrade your plan.', type: 'credit_limit', param: null, code: null } }, 'expectedparrot/edsl#2098'],
  ['Together: model', 400, openAi('Unable to access non-serverless model MiniMaxAI/MiniMax-M2.5. Please visit https://api.together.ai/models/MiniMaxAI/MiniMax-M2.5 to create and start a new dedicated endpoint for the model.', { code: 'model_not_available' }), 'truefoundry/models#919'],
  ['Fireworks: suspended', 412, { error: { message: 'Account acme is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices. Please go to https://fireworks.ai/account/billing for more information.', param: null, code: 'PRECONDITION_FAILED', type: 'error' }, request_id: '11650e2f-ff1b-4aac-9719-98006adf7349' }, 'pollinations/pollinations#12136'],
  ['Fireworks: model', 404, { error: { message: 'Model not found, inaccessible, and/or not deployed', param: 'model', code: 'NOT_FOUND', type: 'error' } }, 'warpdotdev/warp#15107'],
  ['DeepSeek: balance', 402, { error: { message: 'Insufficient Balance', type: 'unknown_error', param: null, code: 'invalid_request_error' } }, '1Panel-dev/MaxKB#3797'],
  ['DeepSeek: key', 401, openAi('Authentication Fails, Your api key: ****abcd is invalid', { type: 'authentication_error', code: 'invalid_request_error' }), 'docs, error codes'],
  ['DeepSeek: model', 400, openAi('Model Not Exist', { code: 'invalid_request_error' }), 'docs'],
  ['OpenRouter: credits', 402, { error: { message: 'This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 10114. To increase, visit https://openrouter.ai/settings/credits and upgrade to a paid account', code: 402, metadata: { provider_name: null } }, user_id: 'user_2xyz' }, 'babikov/doka-site#7'],
  ['OpenRouter: no endpoints', 404, { error: { message: 'No endpoints found for openai/gpt-0.', code: 404 } }, 'Alishahryar1/free-claude-code#974'],
  ['OpenRouter: model', 400, { error: { message: 'foo/bar is not a valid model ID', code: 400 } }, 'docs'],
  ['OpenRouter: wrapped', 403, { error: { message: 'Provider returned error', code: 403, metadata: { raw: '{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","param":null,"type":"request_forbidden"}}', provider_name: 'OpenAI' } } }, 'OpenRouterTeam/openrouter-examples#18'],
  ['OpenRouter: wrapped as 400', 400, { error: { message: 'Provider returned error', code: 400, metadata: { raw: '{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}', provider_name: 'Anthropic' } } }, 'as above'],
  ['Bedrock: access', 403, { message: "You don't have access to the model with the specified model ID.", __type: 'AccessDeniedException' }, 'langgenius/dify#2829'],
  ['Bedrock: throughput', 400, { message: 'Invocation of model ID anthropic.claude-3-7-sonnet-20250219-v1:0 with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model.' }, 'strands-agents/harness-sdk#38'],
  ['Bedrock: identifier', 400, { message: 'The provided model identifier is invalid.' }, 'strands-agents/harness-sdk#38'],
  ['Bedrock: account, by a FastAPI proxy', 400, { detail: 'An error occurred (AccessDeniedException) when calling the InvokeModel operation: Your account is not authorized to invoke this API operation.' }, 'aws-samples/amazon-bedrock-workshop#100'],
  ['xAI: key', 400, { code: 'Client specified an invalid argument', error: 'Incorrect API key provided: xa***12. You can obtain an API key from https://console.x.ai.' }, 'continuedev/continue#10778'],
  ['xAI: credits', 403, { code: 'The caller does not have permission to execute the specified operation', error: 'Your newly created team doesn’t have any credits yet.' }, 'docs'],
  ['vLLM: model', 404, { object: 'error', message: 'The model `Qwen1.5-14B-Chat-GPTQ-Int8` does not exist.', type: 'NotFoundError', param: null, code: 404 }, 'vllm-project/vllm#3485'],
  ['vLLM: key', 401, { error: 'Unauthorized' }, 'vLLM, --api-key'],
  ['FastAPI: path', 404, { detail: 'Not Found' }, 'FastAPI'],
  ['Cerebras: key', 401, { message: 'Wrong API Key', type: 'invalid_request_error', param: 'api_key', code: 'wrong_api_key' }, 'docs'],
  ['NVIDIA: function', 404, { status: 404, title: 'Not Found', detail: "Function '5e5fbb': Not found for account 'aB3dE5'" }, 'docs'],
  ['NVIDIA: gone', 410, { type: 'urn:nvcf-service:problem-details:gone', title: 'Gone', status: 410, detail: 'The model has reached its end of life' }, 'docs'],
  ['Cloudflare', 403, { success: false, errors: [{ code: 10000, message: 'Authentication error' }] }, 'docs'],
  ['Alibaba: arrears', 400, { error: { code: 'Arrearage', message: 'Access denied, please make sure your account is in good standing.', type: 'Arrearage', param: null } }, 'docs'],
  ['New API: quota', 403, { error: { message: '该令牌额度已用尽 !token.UnlimitedQuota', type: 'new_api_error' } }, 'QuantumNous/new-api'],
  ['a page of a proxy', 403, '<html><head><title>403 Forbidden</title></head></html>', 'nginx'],
  ['an empty 401', 401, '', 'continuedev/continue#10277'],
  ['a plain text', 400, 'Invalid API key', 'seen'],
];

const rate: readonly Case[] = [
  ['Groq: day', 429, openAi('Rate limit reached for model `llama-3.3-70b-versatile` in organization `org_01kjh7p9n8f1qs6nz2bz77vy6b` service tier `on_demand` on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619. Please try again in 9m38.016s. Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing', { type: 'tokens', code: 'rate_limit_exceeded' }), 'continuedev/continue#10920'],
  ['Groq: size of a tier', 413, openAi('Request too large for model `llama-3.1-8b-instant` in organization `org_01hw8f0aa0ekmrn70ffm2zkdv1` on tokens per minute (TPM): Limit 6000, Requested 12328, please reduce your message size and try again.', { type: 'tokens', code: 'rate_limit_exceeded' }), 'HunorLaczko/ha-groq-cloud-api#27'],
  ['OpenAI: size of a tier', 400, openAi('Request too large for gpt-5.5 in organization org-kpJh8SMPq6SLl0qT86AytMy7 on tokens per min (TPM): Limit 10000, Requested 20343. The input or output tokens must be reduced in order to run successfully.'), 'openai/codex#21814'],
  ['Gemini', 429, [google(429, 'Resource has been exhausted (e.g. check quota).', 'RESOURCE_EXHAUSTED')], 'docs, troubleshooting'],
  ['Mistral', 429, { object: 'error', message: 'Service tier capacity exceeded for this model.', type: 'service_tier_capacity_exceeded', param: null, code: '3505' }, 'docs'],
  ['Anthropic', 429, { type: 'error', error: { type: 'rate_limit_error', message: 'This request would exceed your organization’s rate limit of 50,000 input tokens per minute' } }, 'docs, api/errors'],
  ['an empty 429', 429, '', 'seen'],
];

const theirs: readonly (readonly [what: string, status: number, body: unknown, code: string, text: RegExp, source: string])[] = [
  ['OpenAI: context', 400, openAi("This model's maximum context length is 8192 tokens. However, your messages resulted in 8202 tokens. Please reduce the length of the messages.", { param: 'messages', code: 'context_length_exceeded' }), 'context_length_exceeded', /maximum context length is 8192 tokens/, 'dimagi/open-chat-studio#463'],
  ['vLLM: context', 400, { object: 'error', message: "This model's maximum context length is 131072 tokens. However, you requested 351430 tokens. Please reduce the length of the messages or completion.", type: 'BadRequestError', param: null, code: 400 }, 'context_length_exceeded', /131072/, 'THUDM/LongBench#104'],
  ['SGLang: context', 400, { object: 'error', message: "The input (61709 tokens) is longer than the model's context length (40960 tokens).", type: 'BadRequestError', param: null, code: 400 }, 'context_length_exceeded', /61709/, 'QwenLM/Qwen3#1321'],
  ['SGLang: input', 400, { object: 'error', message: 'Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens).', type: 'BadRequestError', code: 400 }, 'context_length_exceeded', /160062/, 'sgl-project/sglang#4048'],
  ['Gemini: context', 400, [google(400, 'The input token count (314175) exceeds the maximum number of tokens allowed (131072).', 'INVALID_ARGUMENT')], 'context_length_exceeded', /314175/, 'google-gemini/gemini-cli#12098'],
  ['Anthropic: context', 400, { type: 'error', error: { type: 'invalid_request_error', message: 'input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input length or `max_tokens` and try again' } }, 'context_length_exceeded', /178959/, 'docker/docker-agent#569'],
  ['Together: context', 422, openAi('Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 4000 `inputs` tokens and 512 `max_new_tokens`'), 'context_length_exceeded', /4097/, 'huggingface/text-generation-inference'],
  ['Azure: content', 400, { error: { message: "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766", type: null, param: 'prompt', code: 'content_filter', status: 400, innererror: { code: 'ResponsibleAIPolicyViolation' } } }, 'invalid_value', /content management policy\. Please modify your prompt and retry\.$/, 'compl-ai/compl-ai#20'],
  ['OpenAI: content', 400, openAi('Your request was rejected as a result of our safety system.', { code: 'content_policy_violation' }), 'invalid_value', /safety system/, 'docs'],
  ['OpenRouter: moderation', 403, { error: { message: 'openai/gpt-5 requires moderation on OpenAI. Your input was flagged for "violence".', code: 403, metadata: { reasons: ['violence'], provider_name: 'OpenAI' } } }, 'invalid_value', /flagged for "violence"/, 'docs, errors'],
  ['xAI: message', 400, { code: 'Client specified an invalid argument', error: 'The model expects a single `text` element per message.' }, 'invalid_value', /expects a single `text` element/, 'nocmt/LLMSearchPlus#2'],
  ['DeepSeek: content', 400, openAi('Content Exists Risk'), 'invalid_value', /Content Exists Risk/, 'deepseek-ai/DeepSeek-V3'],
  ['OpenAI: parameter', 400, openAi("Invalid value: 'hot'. Supported values are: 'low', 'medium', and 'high'.", { param: 'reasoning_effort', code: 'invalid_value' }), 'invalid_value', /Supported values/, 'docs'],
  ['OpenAI: schema of a function that is about billing', 400, openAi("Invalid schema for function 'get_billing_account': 'credits' is not of type 'object'.", { param: 'tools[0].function.parameters', code: 'invalid_function_parameters' }), 'invalid_value', /get_billing_account/, 'made from docs'],
  ['FastAPI: parameter', 422, { detail: [{ type: 'missing', loc: ['body', 'messages', 0, 'role'], msg: 'Field required', input: { content: 'secret prompt' } }] }, 'invalid_value', /body\.messages\.0\.role: Field required/, 'FastAPI'],
  ['Mistral: parameter', 422, { object: 'error', message: { detail: [{ type: 'less_than_equal', loc: ['body', 'temperature'], msg: 'Input should be less than or equal to 1.5', input: 3 }] }, type: 'invalid_request_error' }, 'invalid_value', /body\.temperature: Input should be/, 'docs'],
  ['OpenRouter: a parameter, wrapped', 400, { error: { message: 'Provider returned error', code: 400, metadata: { raw: JSON.stringify(openAi("Unsupported value: 'temperature' does not support 0.2 with this model.", { param: 'temperature', code: 'unsupported_value' })), provider_name: 'OpenAI' } } }, 'invalid_value', /does not support 0\.2/, 'docs, errors'],
];

/** Nothing of this may stand in what a customer is told. */
const leaks = /sk-|org[-_]|https?:|openai|azure|anthropic|groq|openrouter|fireworks|deepseek|billing|credit|balance|quota|account|api.?key|gpt-5\.4|llama|claude|gemini|123456789012|930?f2339/i;

describe('what vendors say of our account with them', () => {
  test.each(account)('%s (%d) goes to the next lane and to the operator, and none of it to the customer', (_what, status, body) => {
    const failed = statusFailure(status, undefined, bodyOf(body));
    expect(failed).toMatchObject({ code: 'lane_unavailable', mayMove: true, broken: false, param: null, notice: { kind: 'account', status } });
    expect(failed.message).toBe('The model is not available at the moment.');
    expect(failed.message).not.toMatch(leaks);
  });

  test.each(rate)('%s (%d) is a rate of ours: it goes to the next lane', (_what, status, body) => {
    expect(statusFailure(status, '7', bodyOf(body))).toMatchObject({ code: 'queue_full', mayMove: true, retryAfter: '7', message: 'The model is at capacity. Try again shortly.', notice: { kind: 'rate', status } });
  });

  test.each(account.filter(([, , body]) => typeof body === 'object'))('%s: the same object in an answer of status 200 is no different', (_what, status, body) => {
    // A body that says nothing by itself was told by its status.
    expect(failureOfError(body, status)).toMatchObject({ code: 'lane_unavailable', notice: { kind: 'account' } });
  });
});

describe('what vendors say of the request', () => {
  test.each(theirs)('%s (%d) keeps its status and the part of the text that is about it', (_what, status, body, code, text) => {
    const failed = statusFailure(status, undefined, bodyOf(body), ['openai/gpt-5']);
    expect(failed).toMatchObject({ code, mayMove: false, notice: null });
    expect(failed.message).toMatch(text);
    expect(failed.message.replace('get_billing_account', '').replace("'credits'", '')).not.toMatch(leaks);
    expect(failed.message).not.toContain('secret prompt');
  });
});
