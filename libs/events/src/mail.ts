import { eventCatalogue, type EventEnvelope, type EventName } from '@kilotoken/contracts';

/** A notice as a mail: plain text, and the same as simple HTML. */
export interface Mail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

const subjectLengthMax = 150;

/** Subjects of mails. Values come from customers, so `oneLine` keeps control characters out of the header. */
const subjects: Readonly<Record<EventName, (data: Readonly<Record<string, unknown>>) => string>> = {
  'grant.issued': ({ amount, unit }) => `New balance: ${amount} ${unit}`,
  'grant.low': ({ balance, unit }) => `Balance low: ${balance} ${unit} left`,
  'grant.exhausted': ({ amount, unit, reference }) => `Used up: ${amount} ${unit} (${reference})`,
  'grant.expired': ({ amount, unit, reference }) => `Expired: ${amount} ${unit} (${reference})`,
  'budget.alerted': ({ percent, amount, unit, window }) => `Budget at ${percent} %: of ${amount} ${unit} a ${window}`,
  'budget.warned': ({ amount, unit, window }) => `Budget passed: ${amount} ${unit} a ${window}`,
  'budget.reached': ({ amount, unit, window }) => `Budget used up: ${amount} ${unit} a ${window}`,
  'key.created': ({ name, prefix }) => `New API key: ${name} (${prefix}…)`,
  'key.rolled': ({ name }) => `API key replaced: ${name}`,
  'key.revoked': ({ name, prefix }) => `API key revoked: ${name} (${prefix}…)`,
  'webhook.disabled': ({ url }) => `Webhook disabled: ${url}`,
};

/** Replaces line ends and other control characters by blanks. */
const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();

const describe = (value: unknown): string => {
  if (value === null || value === undefined) return '–';
  return oneLine(typeof value === 'object' ? Object.values(value).map(describe).join(' ') : String(value));
};

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character]!);

/** The same event gives the same mail. */
export const renderMail = (envelope: EventEnvelope & { readonly type: EventName }, organizationName: string): Mail => {
  const { says } = eventCatalogue[envelope.type];
  const subject = oneLine(`${subjects[envelope.type](envelope.data)} - ${organizationName}`).slice(0, subjectLengthMax);
  const fields = Object.entries(envelope.data).map(([name, value]) => [name.replaceAll('_', ' '), describe(value)] as const);
  const footer = `Event ${envelope.id}, number ${envelope.sequence}, ${envelope.timestamp}. Sent to the notice address of ${oneLine(organizationName)}.`;
  const rows = fields.map(([name, value]) => `<tr><td>${escapeHtml(name)}</td><td>${escapeHtml(value)}</td></tr>`).join('');
  return {
    subject,
    text: `${says}\n\n${fields.map(([name, value]) => `${name}: ${value}`).join('\n')}\n\n${footer}\n`,
    html: `<!doctype html><html><body><p>${escapeHtml(says)}</p><table>${rows}</table><p><small>${escapeHtml(footer)}</small></p></body></html>`,
  };
};
