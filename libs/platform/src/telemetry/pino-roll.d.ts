/** pino-roll carries no types: these are the options that we use. */
declare module 'pino-roll' {
  import type { SonicBoom } from 'sonic-boom';

  interface RollOptions {
    readonly file: string;
    readonly size: string;
    readonly limit: { readonly count: number; readonly removeOtherLogFiles: boolean };
    readonly mkdir: boolean;
    readonly mode: number;
    readonly sync: boolean;
    readonly minLength: number;
    readonly maxLength: number;
  }
  export default function open(options: RollOptions): Promise<SonicBoom>;
}
