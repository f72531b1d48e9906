/** Waits by looking: tests never sleep for a time that is hoped to be enough. */
const LOOK_AGAIN_MS = 20;

export async function until<Result>(what: string, look: () => Result | Promise<Result>, timeoutMs = 10_000): Promise<Exclude<Result, false | null | undefined>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen) return seen as Exclude<Result, false | null | undefined>;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
