import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { reportReady } from './child.js';
import { jsonAnswer, streamWrites } from './exchange.js';

/** The vendor behind both sides: one process that always answers the same, as cheaply as Node's own server can. */
const keepAliveMs = 600_000;

const answerStream = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  let next = 0;
  const write = (): void => {
    if (response.destroyed) return;
    const chunk = streamWrites[next++]!;
    if (next === streamWrites.length) return void response.end(chunk);
    response.write(chunk);
    // A turn for each chunk, so that each chunk is a separate write on the wire.
    setImmediate(write);
  };
  write();
};

const answerJson = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': jsonAnswer.length });
  response.end(jsonAnswer);
};

const server = createServer({ keepAliveTimeout: keepAliveMs }, (request, response) => {
  let body = '';
  request.setEncoding('latin1');
  request.on('data', (part: string) => {
    body += part;
  });
  request.on('end', () => (body.includes('"stream":true') ? answerStream(response) : answerJson(response)));
});

server.listen(0, '127.0.0.1', () => reportReady({ port: (server.address() as AddressInfo).port }));
