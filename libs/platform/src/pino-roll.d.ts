/** pino-roll carries no types: these are the options that we use. */
declare module 'pino-roll' {
  import type { SonicBoom, SonicBoomOpts } from 'sonic-boom';

  interface RollOptions extends SonicBoomOpts {
    readonly file: string;
    readonly size: string;
    readonly limit: { readonly count: number; readonly removeOtherLogFiles: boolean };
  }
  export default function open(options: RollOptions): Promise<SonicBoom>;
}
