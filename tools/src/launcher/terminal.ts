/** The terminal of `tools/terminal.mjs`, which exists before anything is built and is passed in. */
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

export interface StepResult<Result> {
  result: Result;
  /** The line's final text. */
  detail: string;
  /** Further remarks for a person, printed below the line. */
  notices?: string[];
}

/** Runs `work` as one line of the terminal. */
export async function runStep<Result>(
  terminal: Terminal,
  name: string,
  text: string,
  work: (step: Step) => Promise<StepResult<Result>>,
): Promise<Result> {
  const step = terminal.step(name, text);
  try {
    const { result, detail, notices = [] } = await work(step);
    step.done(detail);
    for (const notice of notices) terminal.notice(notice);
    return result;
  } catch (error) {
    step.fail();
    throw error;
  }
}
