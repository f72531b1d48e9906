/** pino-roll carries no types: these are the options that we use. */
declare module 'pino-roll' {
  import type { destination } from 'pino';

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
  /** A stream of the same class as `pino.destination()` makes. */
  export default function open(options: RollOptions): Promise<ReturnType<typeof destination>>;
}
