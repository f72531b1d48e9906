import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openMailboxFolder, openSmtpTransport, type AddressedMail } from './mail-transport.client.js';

const mail: AddressedMail = {
  to: 'billing@example.com',
  id: '019b1c6e-52c0-7a41-9d8e-0c6b2f2f7a10',
  subject: 'Balance low: 4.99 USD left – Acmé',
  text: 'Low.\n',
  html: '<p>Low.</p>',
  sentAt: new Date('2026-12-01T08:00:00Z'),
};

/** As much of RFC 5321 as a client needs. `refuse` answers RCPT. */
class MailServer {
  readonly conversations: string[][] = [];
  private readonly sockets = new Set<Socket>();
  private server: Server | null = null;

  constructor(private readonly refuse: string | null = null) {}

  async start(): Promise<string> {
    this.server = createServer((socket) => this.talk(socket));
    await new Promise<void>((resolve) => this.server!.listen(0, '127.0.0.1', resolve));
    return `smtp://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.sockets.forEach((socket) => socket.destroy());
    this.server?.close();
  }

  private talk(socket: Socket): void {
    const lines: string[] = [];
    let inData = false;
    let rest = '';
    this.conversations.push(lines);
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write('220 ready\r\n');
    socket.on('data', (part: Buffer) => {
      const received = (rest + part.toString()).split('\r\n');
      rest = received.pop() ?? '';
      for (const line of received) {
        lines.push(line);
        if (inData && line !== '.') continue;
        inData = line === 'DATA';
        if (line === 'DATA') socket.write('354 go on\r\n');
        else if (line.startsWith('RCPT') && this.refuse) socket.write(`${this.refuse}\r\n`);
        else if (line === 'QUIT') socket.end('221 bye\r\n');
        else socket.write('250 ok\r\n');
      }
    });
  }
}

describe('the SMTP transport', () => {
  let server: MailServer | null = null;
  afterEach(() => {
    server?.stop();
    server = null;
  });

  it('a mail server gets a mail for one recipient, under the same id each time', async () => {
    server = new MailServer();
    const transport = openSmtpTransport(await server.start(), 'notices@example.com');
    await transport.send(mail);
    await transport.send(mail);
    transport.close();
    expect(server.conversations).toHaveLength(2);
    for (const lines of server.conversations) {
      expect(lines.filter((line) => /^(MAIL|RCPT)/.test(line))).toEqual([expect.stringMatching(/^MAIL FROM:<notices@example\.com>/), 'RCPT TO:<billing@example.com>']);
      expect(lines).toContain(`Message-ID: <${mail.id}@kilotoken.invalid>`);
      expect(lines).toContain('Date: Tue, 01 Dec 2026 08:00:00 +0000');
    }
  });

  it('no address and no subject adds a recipient or a header', async () => {
    server = new MailServer();
    const transport = openSmtpTransport(await server.start(), 'notices@example.com');
    const hostile = { ...mail, to: 'a@example.com>\r\nRCPT TO:<b@example.com', subject: 'x\r\nBcc: c@example.com\r\n\r\nbody' };
    await transport.send(hostile).catch(() => undefined);
    transport.close();
    const lines = server.conversations.flat();
    expect(lines.filter((line) => /^RCPT TO:<b@example\.com/.test(line))).toEqual([]);
    expect(lines.filter((line) => /^Bcc:/i.test(line))).toEqual([]);
  });

  it.each([
    ['refuses it for good', '550 no such mailbox', { responseCode: 550 }],
    ['refuses it for now', '451 later', { responseCode: 451 }],
  ])('an error of a mail server that %s names its code', async (_name, refusal, error) => {
    server = new MailServer(refusal);
    const transport = openSmtpTransport(await server.start(), 'notices@example.com');
    await expect(transport.send(mail)).rejects.toMatchObject(error);
    transport.close();
  });
});

describe('the mailbox folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kilotoken-mail-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('a mail is one file that only its owner may read, however often it is sent', async () => {
    const mailbox = join(folder, 'mail');
    const transport = openMailboxFolder(mailbox, 'notices@example.com');
    await transport.send(mail);
    await transport.send(mail);
    expect(readdirSync(mailbox)).toEqual([`2026-12-01T08-00-00-000Z-${mail.id}.eml`]);
    const file = join(mailbox, readdirSync(mailbox)[0]!);
    expect(readFileSync(file, 'utf8')).toMatch(/^To: billing@example\.com$/m);
    expect(statSync(file).mode & 0o077).toBe(0);
  });

  it('the folder keeps the newest two hundred mails', async () => {
    const transport = openMailboxFolder(folder, 'notices@example.com');
    for (let count = 0; count < 205; count += 1) await transport.send({ ...mail, id: `mail-${count}`, sentAt: new Date(mail.sentAt.getTime() + count * 1_000) });
    const kept = readdirSync(folder).sort();
    expect([kept.length, kept[0]]).toEqual([200, expect.stringContaining('mail-5.eml')]);
  });
});
