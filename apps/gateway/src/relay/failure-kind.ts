import type { VendorError } from './vendor-error.js';
import { withoutQuotes } from './vendor-text.js';

/**
 * Whose problem a vendor's error is. Pure.
 *
 * - `account`: ours. The key, the credit, the plan, the region, or a model or address that the vendor does not know.
 * - `rate`: ours too. What the vendor lets our account send at a time.
 * - `context`, `content`, `request`: the customer's. The prompt is too long, against a policy, or a parameter is wrong.
 * - `capacity`, `failed`: the vendor's.
 *
 * Codes come before texts and texts before statuses, since vendors agree on none: exhausted credit is 400 (Anthropic), 402
 * (DeepSeek), 403 (xAI), 412 (Fireworks) and 429 (OpenAI).
 */
export type FailureKind = 'account' | 'rate' | 'context' | 'content' | 'request' | 'capacity' | 'failed';

const codesOf = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** As `readVendorError` writes codes. */
const accountCodes = codesOf(`
  invalidapikey incorrectapikey wrongapikey apikeyinvalid apikeyexpired apikeyserviceblocked apikeyipaddressblocked invalidkey
  authentication invalidauthentication authenticationfailed unauthenticated unauthorized invalidtoken expiredtoken tokenexpired
  permission permissiondenied forbidden accessdenied requestforbidden unrecognizedclient invalidsignature ipnotauthorized
  insufficientquota insufficientbalance insufficientcredits insufficientfunds exceededcurrentquota creditlimit billing billingdisabled
  billinghardlimitreached billingnotactive paymentrequired arrearage accountoverdue spendlimitexceeded quotaexceeded
  accountdeactivated accountsuspended accountdisabled userdeactivated accessterminated consumersuspended consumerinvalid
  organizationrestricted organizationdeactivated organizationnotfound invalidorganization mismatchedorganization mismatchedproject
  modelnotfound modelnotexist modelnotactive modelnotavailable modelnotopen modeldecommissioned modeldeprecated modeltermsrequired
  modelpermissionblockedorg modelpermissionblockedproject invalidmodel deploymentnotfound notfound resourcenotfound endpointnotfound
  invalidendpoint invalidendpointormodel operationnotsupported unsupportedapiversion servicedisabled failedprecondition preconditionfailed
  unsupportedcountryregionterritory unsupportedlocation
`);
const rateCodes = codesOf('ratelimitexceeded ratelimit ratelimited resourceexhausted throttling toomanyrequests tokens requests requestlimitexceeded servicetiercapacityexceeded');
const contextCodes = codesOf('contextlengthexceeded contextwindowexceeded modelcontextwindowexceeded exceedcontextsize');
const contentCodes = codesOf('contentfilter contentpolicyviolation responsibleaipolicyviolation moderationblocked contentmoderation invalidprompt datainspectionfailed guardrailintervened');
const capacityCodes = codesOf('overloaded engineoverloaded modeloverloaded serviceunavailable unavailable servertoobusy capacityexceeded modelatcapacity');

const ratePattern = /\b(?:tokens|requests) per (?:second|min|minute|hour|day)\b|\b[TR]P[SMD]\b|\brate.?limit|\btoo many (?:concurrent )?requests\b|\bthrottl/i;
const contextPattern =
  /\bcontext (?:length|window|size|limit)\b|\b(?:prompt|input|request|message)s?\b.{0,60}\b(?:too long|longer than|exceeds? (?:the )?(?:max|limit|model))|\btoken count\b.{0,40}\bexceeds\b|\breduce the length of\b|\btokens\b.{0,60}\bmust be (?:<=|less than|at most)|\bmaximum allowed length\b|\brange of input length\b/i;
const contentPattern = /\bcontent (?:management policy|polic|filter|exists risk)|\bsafety system\b|\b(?:input|prompt|request|content)\b.{0,40}\bflagged\b|\brequires moderation\b|\busage polic|\binappropriate content\b|\bblocked (?:by|due to|for) safety\b/i;
/** So clear that it counts whichever parameter the vendor names beside it. */
const strictlyAccountPattern = /\borgani[sz]ation must be verified\b|\b(?:account|organi[sz]ation|api.?key|user|team|workspace)\b.{0,60}\b(?:deactivated|suspended|disabled|restricted|banned|terminated|blocked|deleted|inactive|not active|expired|revoked)\b/i;
const capacityPattern = /\b(?:overloaded|at capacity|no capacity|over capacity|temporarily unavailable|currently loading)\b/i;

const accountPatterns: readonly RegExp[] = [
  /\bapi.?(?:key|token)s?\b|\b(?:access|bearer|auth\w*) tokens?\b|\bcredentials?\b|\bsecurity token\b/i,
  /\b(?:credits?|balance|billing|payment|prepaid|invoices?|subscription|quota|arrears|overdue|good standing|spend(?:ing)? limit|top.?up)\b/i,
  /\b(?:unauthori[sz]ed|unauthenticated|authenticat\w+|authori[sz]ation|permissions?|forbidden|access denied|denied access)\b/i,
  /\b(?:not|\w+n['’]t) (?:have|been granted|allowed|authori[sz]ed|permitted|eligible)\b.{0,40}\b(?:access|use|call|invoke|perform|sample)\b|\bno access\b/i,
  /\byour (?:account|organi[sz]ation|workspace|tenant|project|team|plan|tier|key|region|country|location|ip)\b/i,
  /\b(?:model|deployment|endpoint|engine|resource|api version)s?\b.{0,120}\b(?:not (?:be )?(?:found|exist|available|deployed|enabled|active|accessible|loaded)|does ?n[o'’]t exist|no longer (?:available|supported|offered|served|exists?)|deprecated|decommissioned|retired|inaccessible|discontinued)/i,
  /\b(?:invalid|unknown|unrecogni[sz]ed|no such|unsupported) (?:model|deployment|endpoint|engine|url|route|path)\b|\bnot a valid model\b|\bnon-serverless\b|\bon-demand throughput\b|\bmodel identifier\b/i,
  /\b(?:country|region|territory|location)\b.{0,60}\bnot (?:be )?(?:supported|available|allowed)\b|\bnot (?:supported|available) in\b.{0,30}\b(?:country|region|location)\b/i,
  /\bno (?:allowed |available )?(?:endpoints?|providers?|deployments?) (?:found|are|is|available)\b/i,
  // One API and New API, which many resellers run, answer in Chinese: balance, quota, arrears, token, key, no such model.
  /余额|额度|欠费|令牌|密钥|无权|未授权|模型不存在/,
];

const accountStatuses: ReadonlySet<number> = new Set([401, 402, 403, 404, 405, 407, 410, 412, 421, 451]);
const requestStatuses: ReadonlySet<number> = new Set([400, 413, 414, 422]);

const isAccountText = ({ param }: VendorError, text: string): boolean => {
  if (param === 'api_key') return true;
  // An error that names a parameter of the request is about the request. The model is the lane's, not the customer's.
  if (param !== null && param !== 'model') return false;
  return accountPatterns.some((pattern) => pattern.test(text));
};

export const kindOf = (said: VendorError, status: number): FailureKind => {
  const has = (codes: ReadonlySet<string>): boolean => said.codes.some((code) => codes.has(code));
  const text = withoutQuotes(said.message ?? '');
  if (has(accountCodes)) return 'account';
  if (has(rateCodes) || ratePattern.test(text)) return 'rate';
  if (has(contextCodes) || contextPattern.test(text)) return 'context';
  if (strictlyAccountPattern.test(text)) return 'account';
  if (has(contentCodes) || contentPattern.test(text)) return 'content';
  if (isAccountText(said, text)) return 'account';
  if (status === 503 || status === 529 || has(capacityCodes) || capacityPattern.test(text)) return 'capacity';
  if (status === 429) return 'rate';
  if (accountStatuses.has(status)) return 'account';
  return requestStatuses.has(status) ? 'request' : 'failed';
};
