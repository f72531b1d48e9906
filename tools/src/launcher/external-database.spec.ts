import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { findFreePort } from '../free-port.js';
import { checkExternalDatabase } from './external-database.js';

let server: Server | undefined;

afterEach(async () => {
  const running = server;
  server = undefined;
  if (running) await new Promise((resolve) => running.close(resolve));
});

/** A message of Postgres' protocol: https://www.postgresql.org/docs/18/protocol-message-formats.html */
function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const int16 = (value: number): Buffer => int32(value).subarray(2);
const text = (value: string): Buffer => Buffer.from(`${value}\0`);

const readyForQuery = message('Z', Buffer.from('I'));
const authenticated = Buffer.concat([message('R', int32(0)), readyForQuery]);

function answerShow(value: string): Buffer {
  const column = Buffer.concat([text('server_version_num'), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)]);
  const row = Buffer.concat([int16(1), int32(value.length), Buffer.from(value)]);
  return Buffer.concat([message('T', Buffer.concat([int16(1), column])), message('D', row), message('C', text('SHOW')), readyForQuery]);
}

/** Speaks as much of the protocol as one `SHOW` needs, or refuses the login. */
async function listenAs(behaviour: { version: string } | { refuse: { code: string; message: string } }): Promise<string> {
  const onSocket = (socket: Socket): void => {
    let loggedIn = false;
    socket.on('error', () => undefined);
    socket.on('data', () => {
      if ('refuse' in behaviour) {
        const fields = `SFATAL\0VFATAL\0C${behaviour.refuse.code}\0M${behaviour.refuse.message}\0\0`;
        socket.end(message('E', Buffer.from(fields)));
      } else {
        socket.write(loggedIn ? answerShow(behaviour.version) : authenticated);
        loggedIn = true;
      }
    });
  };
  const listening = createServer(onSocket).listen(0, '127.0.0.1');
  server = listening;
  await new Promise((resolve) => listening.once('listening', resolve));
  return `postgresql://kilotoken:hunter2@127.0.0.1:${(listening.address() as AddressInfo).port}/kilotoken`;
}

describe('checkExternalDatabase', () => {
  it('accepts Postgres 18', async () => {
    expect(await checkExternalDatabase(await listenAs({ version: '180004' }))).toBe('18.4');
  });

  it('refuses an older Postgres and names the version that works', async () => {
    await expect(checkExternalDatabase(await listenAs({ version: '170006' }))).rejects.toThrow(/is Postgres 17\.6, but Kilotoken needs Postgres 18 or newer/);
  });

  it('says that the database cannot be reached, and where it was looked for', async () => {
    const port = await findFreePort();
    const failure = checkExternalDatabase(`postgresql://kilotoken:hunter2@127.0.0.1:${port}/kilotoken`);
    await expect(failure).rejects.toThrow(new RegExp(`127.0.0.1:${port}/kilotoken cannot be reached: .*ECONNREFUSED.*unset DATABASE_URL`));
  });

  it.each([
    ['28P01', 'password authentication failed for user "kilotoken"', /refused the user and password/],
    ['3D000', 'database "kilotoken" does not exist', /does not exist/],
  ])('explains a refusal with code %s, without repeating the password', async (code, reason, expected) => {
    const failure = checkExternalDatabase(await listenAs({ refuse: { code, message: reason } }));
    await expect(failure).rejects.toThrow(expected);
    await expect(failure).rejects.not.toThrow('hunter2');
  });
});
