import { type BilledUsage, chargeList, completionTokens, promptTokens, type TokenCounts } from '@kilotoken/contracts';

/** The unit of money; the first such charge is the cost, and where packages alone paid there is none. */
const currency = /^[A-Z]{3}$/;

/** The fields of details that say something, after those that OpenAI's own answers always have. */
const detailsText = (always: readonly [string, number | undefined][], further: readonly [string, number | undefined][]): string =>
  [...always, ...further.filter(([, count]) => count)].map(([name, count]) => `"${name}":${count ?? 0}`).join(',');

const promptDetailsText = (counts: TokenCounts): string => {
  const { cached_read: cached, cache_write_5m: fiveMinutes, cache_write_1h: hour, audio_in: audio, image_in: image } = counts;
  if (!cached && !audio && !image && !fiveMinutes && !hour) return '"cached_tokens":0,"audio_tokens":0';
  const written = (fiveMinutes ?? 0) + (hour ?? 0);
  const text = detailsText([['cached_tokens', cached], ['audio_tokens', audio]], [['image_tokens', image], ['cache_write_tokens', written]]);
  return hour ? `${text},"cache_creation":{"ephemeral_5m_input_tokens":${fiveMinutes ?? 0},"ephemeral_1h_input_tokens":${hour}}` : text;
};

const completionDetailsText = ({ reasoning, audio_out: audio, image_out: image }: TokenCounts): string =>
  !reasoning && !audio && !image ? '"reasoning_tokens":0,"audio_tokens":0' : detailsText([['reasoning_tokens', reasoning], ['audio_tokens', audio]], [['image_tokens', image]]);

const chargeText = ({ unit, amount }: { unit: string; amount: string }): string => `{"unit":${JSON.stringify(unit)},"amount":"${amount}"}`;

/**
 * The `usage` that a client gets, as the text of a JSON object: made of what is billed and of nothing that the vendor said.
 * `cost` is a number, as OpenRouter's clients expect it, printed from the exact decimal: JSON numbers have no precision of
 * their own, so a client that reads decimals reads it exactly. `kilotoken.charges` has the same as exact strings.
 *
 *   {"prompt_tokens":21,"completion_tokens":60,"total_tokens":81,…,"cost":0.00003915,"cost_currency":"USD","kilotoken":{…}}
 */
export const usageText = ({ counts, estimated, charges }: BilledUsage): string => {
  const [prompt, completion] = [promptTokens(counts), completionTokens(counts)];
  const list = chargeList(charges);
  const money = list.find(({ unit }) => currency.test(unit));
  const cost = money ? `"cost":${money.amount},"cost_currency":"${money.unit}"` : '"cost":0';
  return (
    `{"prompt_tokens":${prompt},"completion_tokens":${completion},"total_tokens":${prompt + completion}` +
    `,"prompt_tokens_details":{${promptDetailsText(counts)}},"completion_tokens_details":{${completionDetailsText(counts)}}` +
    `${estimated ? ',"estimated":true' : ''},${cost},"kilotoken":{"charges":[${list.map(chargeText).join(',')}]}}`
  );
};
