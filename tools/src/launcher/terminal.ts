/** What `tools/terminal.mjs` offers; it is made before anything is built, and handed in. */
export interface Terminal {
  step(name: string, text?: string): Step;
  line(text?: string): void;
  notice(text: string): void;
  problem(text: string): void;
  bold(text: string): string;
  dim(text: string): string;
}

export interface Step {
  update(detail: string): void;
  done(detail?: string): void;
  fail(): void;
}

/** Runs `work` as one line of the terminal. */
export async function runStep<Result>(
  terminal: Terminal,
  name: string,
  text: string,
  work: (step: Step) => Promise<{ result: Result; detail: string }>,
): Promise<Result> {
  const step = terminal.step(name, text);
  try {
    const { result, detail } = await work(step);
    step.done(detail);
    return result;
  } catch (error) {
    step.fail();
    throw error;
  }
}
