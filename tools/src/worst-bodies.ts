/** Bodies that cost a reader the most, each as large as `bytes` allows: what hostile clients send, and what honest ones may. */
export interface WorstBody {
  readonly name: string;
  readonly body: Buffer;
  /** The codes that may refuse it; empty where it is a right request. */
  readonly codes: readonly string[];
}

interface Asked {
  readonly model: string;
  readonly messages: readonly object[];
  readonly [name: string]: unknown;
}

/** Room for what stands around the text. */
const frameBytes = 600;

const askOf = (model: string) => {
  const said = (content: unknown): Asked => ({ model, max_tokens: 1, messages: [{ role: 'user', content }] });
  const withTool = (parameters: unknown): Asked => ({ ...said('a'), tools: [{ type: 'function', function: { name: 'f', parameters } }] });
  return { said, withTool };
};
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const written = (unit: string): number => Buffer.byteLength(JSON.stringify(unit)) - 2;
const filled = (unit: string, bytes: number): string => unit.repeat(Math.floor((bytes - frameBytes) / written(unit)));
const listOf = (item: unknown, bytes: number): unknown[] => new Array<unknown>(Math.floor((bytes - frameBytes) / (JSON.stringify(item).length + 1))).fill(item);

const nested = (depth: number): unknown => (depth === 0 ? 0 : { a: nested(depth - 1) });

/** `members` stands for the first empty object of the value. */
const inserted = (value: Asked, members: string): Buffer => Buffer.from(JSON.stringify(value).replace('{}', `{${members}}`));

const distinctKeys = (bytes: number): string => {
  const members: string[] = [];
  for (let length = frameBytes, key = 0; ; key += 1) {
    const member = `"${key.toString(36)}":0`;
    length += member.length + 1;
    if (length > bytes) return members.join(',');
    members.push(member);
  }
};

/** Refused at a key, a value or a bracket that is one too many, or where that is not reached by their content. */
export const hostileBodies = (bytes: number, model = 'mock'): WorstBody[] => {
  const { said, withTool } = askOf(model);
  const body = (name: string, text: Buffer, ...codes: string[]): WorstBody => ({ name, body: text, codes: ['body_too_complex', ...codes] });
  return [
    body('the same key again and again', inserted(withTool({}), `${'"a":0,'.repeat(Math.floor((bytes - frameBytes) / 6))}"b":0`), 'duplicate_key'),
    body('unknown parameters', Buffer.from(`{${distinctKeys(bytes)}}`), 'unknown_parameter', 'missing_required_parameter'),
    body('distinct keys in a tool', inserted(withTool({}), distinctKeys(bytes)), 'unsupported_parameter'),
    body('distinct keys and no end', Buffer.from(`{"model":"mock","tools":[{${distinctKeys(bytes)}`), 'invalid_json'),
    body('empty arrays', json(withTool({ x: listOf([], bytes) })), 'unsupported_parameter'),
    body('deep objects', json(withTool({ x: listOf(nested(50), bytes) })), 'unsupported_parameter'),
    body('numbers', json(withTool({ x: listOf(0, bytes) })), 'unsupported_parameter'),
    body('open brackets', Buffer.from('['.repeat(bytes)), 'nesting_too_deep'),
    body('spaces', Buffer.alloc(bytes, 0x20), 'invalid_json'),
    body('one number of many digits', inserted(withTool({}), `"a":${'9'.repeat(bytes - frameBytes)}`), 'unsupported_parameter'),
    body('digits that are no number', Buffer.from('0'.repeat(bytes)), 'invalid_json'),
    body('a text without its end', Buffer.from(`{"model":"${'x'.repeat(bytes - frameBytes)}`), 'invalid_json'),
    body('escapes without their end', Buffer.from(`{"model":"${'\\u0041'.repeat(Math.floor((bytes - frameBytes) / 6))}`), 'invalid_json'),
    body('an unknown role of many letters', json({ ...said('a'), messages: [{ role: filled('r', bytes), content: 'a' }] }), 'invalid_value'),
    body('stop sequences', json({ ...said('a'), stop: listOf('x', bytes) }), 'array_above_max_length'),
  ];
};

/** Right requests, whose prompts are far above the window of any model: held at the window, and sent. */
export const heavyBodies = (bytes: number, model = 'mock'): WorstBody[] => {
  const { said } = askOf(model);
  const body = (name: string, value: Asked): WorstBody => ({ name, body: json(value), codes: [] });
  return [
    body('plain text', said(filled('hello world ', bytes))),
    body('Han characters', said(filled('漢', bytes))),
    body('a ligature of eighteen letters', said(filled('\ufdfa', bytes))),
    body('runs of thirty marks', said(filled(`a${'\u0315\u0300\u0323\u05b0\u0301'.repeat(6)}`, bytes))),
    body('control characters', said(filled('\u0001', bytes))),
    body('many messages', { ...said('a'), messages: listOf({ role: 'user', content: 'x'.repeat(bytes >> 12) }, bytes).slice(0, 2_048) as object[] }),
  ];
};
