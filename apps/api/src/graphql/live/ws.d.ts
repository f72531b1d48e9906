/** The part of `ws` that the api uses; the package itself has no types. */
declare module 'ws' {
  import type { EventEmitter } from 'node:events';
  import type { IncomingMessage } from 'node:http';
  import type { Duplex } from 'node:stream';

  export interface ServerOptions {
    readonly noServer: true;
    readonly maxPayload: number;
    readonly handleProtocols: (protocols: ReadonlySet<string>) => string | false;
  }

  export default class WebSocket {
    constructor(url: string, protocols: string, options: { readonly headers: Readonly<Record<string, string>> });
  }

  export class WebSocketServer extends EventEmitter {
    constructor(options: ServerOptions);
    readonly clients: ReadonlySet<object>;
    handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, accept: (client: object) => void): void;
  }
}
