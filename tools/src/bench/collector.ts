import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { reportReady } from './child.js';

/** Accepts the gateway's traces, as a collector on the same machine would, and discards them. */
const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
});

server.listen(0, '127.0.0.1', () => reportReady({ port: (server.address() as AddressInfo).port }));
