/**
 * The rules of prose that a machine can keep; the rest is in reviews. They hold for text that is newer than the base: a file of older text
 * may keep it until somebody touches it.
 */
export interface Line {
  readonly path: string;
  readonly number: number;
  readonly text: string;
}

const commentLengthMax = 170;
const titleLengthMax = 120;
export const subjectLengthMax = 72;

/** A clause as the subject: the reader learns only at its end what the sentence is about. */
const openers = /^(?:what|who|whoever|whatever|whichever|that which)\b(?! is\?)/i;

const comment = /^\s*(?:\/\*\*?|\*(?!\/)|\/\/|--)\s*(.*?)\s*(?:\*\/)?$/;
const title = /\b(?:it|test|describe)(?:\.\w+)?\(\s*(['"`])(.*?)\1/;

/** A continuation of a comment may begin with any word in lower case; only a capital begins a sentence. */
const beginsSentence = (text: string): boolean => /^[A-Z]/.test(text);

export const proseFaults = ({ path, text }: Line): string[] => {
  const faults: string[] = [];
  const commented = comment.exec(text)?.[1];
  if (commented !== undefined) {
    if (beginsSentence(commented) && openers.test(commented)) faults.push('a comment whose sentence begins with a clause: name the thing first');
    if (text.length > commentLengthMax) faults.push(`a line of comment of more than ${commentLengthMax} characters`);
  }
  const titled = path.endsWith('.spec.ts') ? title.exec(text)?.[2] : undefined;
  if (titled !== undefined) {
    if (openers.test(titled)) faults.push('a test title that begins with a clause: name the subject and its guarantee');
    if (titled.length > titleLengthMax) faults.push(`a test title of more than ${titleLengthMax} characters`);
  }
  return faults;
};

/** Words that end as participles do and are verbs in the imperative. */
const imperatives = new Set(['bring', 'embed', 'exceed', 'feed', 'need', 'proceed', 'ring', 'seed', 'shed', 'speed', 'spring', 'string', 'succeed', 'wring']);

/** `area: imperative`, as a maintainer would type it. */
export const subjectFaults = (subject: string): string[] => {
  const faults: string[] = [];
  if (subject.length > subjectLengthMax) faults.push(`longer than ${subjectLengthMax} characters`);
  const [, rest] = /^[a-z][a-z0-9-]*(?:, [a-z][a-z0-9-]*)*: (\S.*)$/.exec(subject) ?? [];
  if (rest === undefined) return [...faults, 'not of the form "area: imperative"'];
  const verb = /^[a-z]+/.exec(rest)?.[0] ?? '';
  if (verb === '') faults.push('no verb in lower case behind its area');
  if (/^(?:a|an|the|what|who|whoever|this|that|there|no|more|some|all)$/.test(verb)) faults.push('begins with a noun or a clause, not with a verb');
  if (/(?:ing|ed)$/.test(verb) && !imperatives.has(verb)) faults.push(`"${verb}" is no imperative`);
  if (subject.endsWith('.')) faults.push('ends with a full stop');
  return faults;
};
