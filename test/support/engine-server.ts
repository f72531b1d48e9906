import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { startVendor } from './vendor.js';

/** A stand-in of vLLM or SGLang: the vendor's stand-in, which also lists its model, as those servers do. */
export interface EngineServer {
  /** Ends in /v1. */
  readonly baseUrl: string;
  close(): Promise<void>;
}

export const startEngineServer = async ({ key, model }: { key: string; model: string }): Promise<EngineServer> => {
  const vendor = await startVendor({ key });
  const answer = async (path: string, method: string, headers: Record<string, string>, body: Buffer): Promise<Response> => {
    if (method !== 'GET' || path !== '/v1/models') return fetch(vendor.baseUrl.replace(/\/v1$/, path), { method, headers, body: new Uint8Array(body) });
    if (headers['authorization'] !== `Bearer ${key}`) return Response.json({ error: { message: 'Unauthorized' } }, { status: 401 });
    return Response.json({ object: 'list', data: [{ id: model, object: 'model' }] });
  };
  const server = createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat((await request.toArray()) as Buffer[]);
      const { authorization = '', 'content-type': type = 'application/json' } = request.headers;
      const answered = await answer(request.url ?? '', request.method ?? '', { authorization, 'content-type': type }, body);
      response.writeHead(answered.status, { 'content-type': answered.headers.get('content-type') ?? 'application/json' });
      if (answered.body) Readable.fromWeb(answered.body as Parameters<typeof Readable.fromWeb>[0]).pipe(response);
      else response.end();
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await vendor.close();
    },
  };
};
