import { useState, type FormEvent } from 'react';
import type { AuthAnswer } from '../../api/auth.ts';
import { useAuthProblem } from '../../sign-in/problem.ts';

interface AuthForm {
  readonly problem: string | null;
  readonly busy: boolean;
  readonly submit: (event?: FormEvent) => void;
}

/** Sends one of the sign-in's routes and keeps its refusal for the form. */
export function useAuthForm<Answer>(send: () => Promise<AuthAnswer<Answer>>, onDone: (value: Answer) => void): AuthForm {
  const explain = useAuthProblem();
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const run = async (): Promise<void> => {
    setBusy(true);
    const answer = await send();
    setBusy(false);
    setProblem(explain(answer));
    if (answer.ok) onDone(answer.value);
  };
  return {
    problem,
    busy,
    submit: (event) => {
      event?.preventDefault();
      void run();
    },
  };
}
