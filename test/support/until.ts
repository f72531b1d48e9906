/** Waits by looking: tests never sleep for a time that is hoped to be enough. */
const LOOK_AGAIN_MS = 20;
/** For what must happen and may be slow. A test that claims how soon says so by a deadline of its own. */
const COMES_MS_MAX = 60_000;

export async function until<Result>(what: string, look: () => Result | Promise<Result>, timeoutMs = COMES_MS_MAX): Promise<Exclude<Result, false | null | undefined>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen) return seen as Exclude<Result, false | null | undefined>;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}
