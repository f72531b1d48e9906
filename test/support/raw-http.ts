import { connect, type Socket } from 'node:net';

const answerMsMax = 60_000;

/** Sends bytes as they are, which no HTTP client does, and resolves to all that came back before the peer closed. */
export const exchangeRaw = async (port: number, request: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.setTimeout(answerMsMax, () => socket.destroy(new Error(`no end of the answer within ${answerMsMax} ms`)));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    socket.on('error', reject);
    socket.end(request);
  });

/** The status of an answer as `exchangeRaw` returned it. */
export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
