import type { PersonMail } from '@kilotoken/events';

/** Mails to one person: an invitation, or a new password. Each has a link that opens something, so it is enqueued encrypted. */
export type PersonMailContent =
  | { readonly kind: 'invitation'; readonly organizationName: string; readonly role: string; readonly link: string }
  | { readonly kind: 'reset'; readonly link: string };

const texts = {
  en: {
    invitation: {
      subject: (organization: string) => `You are invited to ${organization}`,
      body: (organization: string, role: string) => `You are invited to join ${organization} on Kilotoken as ${role}. The link is valid for seven days and opens once.`,
      action: 'Accept the invitation',
    },
    reset: {
      subject: 'Choose a new password',
      body: 'Somebody asked for a new password for this address. If it was not you, ignore this mail: your password stays as it is. The link is valid for an hour and opens once.',
      action: 'Choose a new password',
    },
  },
  zh: {
    invitation: {
      subject: (organization: string) => `邀请您加入 ${organization}`,
      body: (organization: string, role: string) => `您受邀以 ${role} 身份加入 Kilotoken 上的 ${organization}。链接七天内有效，只能使用一次。`,
      action: '接受邀请',
    },
    reset: {
      subject: '设置新密码',
      body: '有人为此邮箱申请了新密码。如果不是您本人操作，请忽略本邮件，您的密码不会改变。链接一小时内有效，只能使用一次。',
      action: '设置新密码',
    },
  },
} as const;

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character]!);
/** Names come from customers; control characters would end a header. */
const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();

export const renderPersonMail = (to: string, locale: string, content: PersonMailContent): Omit<PersonMail, 'at'> => {
  const language = texts[locale === 'zh' ? 'zh' : 'en'];
  const organization = content.kind === 'invitation' ? oneLine(content.organizationName) : '';
  const [subject, body, action] =
    content.kind === 'invitation'
      ? [language.invitation.subject(organization), language.invitation.body(organization, content.role), language.invitation.action]
      : [language.reset.subject, language.reset.body, language.reset.action];
  return {
    to,
    subject: subject.slice(0, 150),
    text: `${body}\n\n${action}:\n${content.link}\n`,
    html: `<!doctype html><html><body><p>${escapeHtml(body)}</p><p><a href="${escapeHtml(content.link)}">${escapeHtml(action)}</a></p></body></html>`,
  };
};
