import type { LlamaContext } from 'node-llama-cpp';

/** The C++ context below the public interface of the library, whose version is pinned. */
interface NativeContext {
  sampleToken(...parameters: unknown[]): Promise<unknown>;
}

/**
 * llama.cpp computes the rows of a batch in an order of its own, and swaps their logits back when one is first read. The
 * library reads all of them at once, on several threads: two that swap the same rows give one sequence the token of
 * another, and so one customer the words of another. Here the first row of a decode is read alone; whoever reads after
 * it finds nothing to swap. (Reading all of them in turn would cost a quarter of the throughput of 16 sequences.)
 *
 * The next decode begins when all rows of the last one are read.
 */
export const readFirstRowAlone = (context: LlamaContext): void => {
  const native = (context as unknown as { readonly _ctx?: NativeContext })._ctx;
  if (typeof native?.sampleToken !== 'function') throw new Error('this version of node-llama-cpp samples in another way: look whether it reads logits on several threads');
  const sampleToken = native.sampleToken.bind(native);
  let first: Promise<unknown> | null = null;
  let reading = 0;
  const firstAlone: NativeContext['sampleToken'] = async (...parameters) => {
    reading += 1;
    try {
      if (first === null) return await (first = sampleToken(...parameters));
      await first.catch(() => undefined);
      return await sampleToken(...parameters);
    } finally {
      reading -= 1;
      if (reading === 0) first = null;
    }
  };
  Object.defineProperty(native, 'sampleToken', { value: firstAlone });
};
