import { useMutation } from '@apollo/client/react';
import type { OperationVariables, TypedDocumentNode } from '@apollo/client';
import { useCallback, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { refusalText } from './refusal.ts';
import { isAnswered, troubleOf } from './trouble.ts';

interface FieldProblem {
  readonly path: string;
  readonly message: string;
}

type ProblemName = 'InvalidInput' | 'Forbidden' | 'NotFound' | 'Conflict';
interface ProblemResult {
  readonly __typename: ProblemName;
  readonly message: string;
  readonly code: string;
  readonly values: unknown;
  readonly fields?: readonly FieldProblem[];
}

/** A refusal as data: the sentence for a person, and the fields it concerns. */
export interface Refusal {
  readonly message: string;
  readonly fields: readonly FieldProblem[];
}

type Result<Answer> = Answer[keyof Answer];
export type Success<Answer> = Exclude<Result<Answer>, { __typename: ProblemName }>;
export type CommandResult<Answer> = { readonly ok: true; readonly value: Success<Answer> } | { readonly ok: false; readonly refusal: Refusal };

const problemNames: ReadonlySet<string> = new Set<ProblemName>(['InvalidInput', 'Forbidden', 'NotFound', 'Conflict']);

const isProblem = (result: unknown): result is ProblemResult => typeof result === 'object' && result !== null && problemNames.has((result as ProblemResult).__typename);

const refusalOf = ({ message, code, values, fields = [] }: ProblemResult): Refusal => {
  const told = fields.map((field) => ({ path: field.path, message: refusalText('fields', field.path.split('.').at(-1)!, field.message) }));
  const translated = refusalText('api', code, message, values);
  // The server's own sentence says its fields; a translation is followed by theirs.
  return { message: translated === message ? message : [translated, ...told.map((field) => field.message)].join(' '), fields: told };
};

/** Mutations have one field each; its value is what happened. */
const readResult = <Answer extends object>(data: Answer): CommandResult<Answer> => {
  const result: unknown = Object.values(data)[0];
  return isProblem(result) ? { ok: false, refusal: refusalOf(result) } : { ok: true, value: result as Success<Answer> };
};

interface CommandVariables extends OperationVariables {
  input: { idempotencyKey?: string | null | undefined };
}

/**
 * Runs a mutation once however often it is sent: attempts that got no answer share an idempotency key, and the next one after an answer has a new key.
 */
export function useCommand<Answer extends object, Variables extends CommandVariables>(
  document: TypedDocumentNode<Answer, Variables>,
  refetch: readonly string[] = [],
): readonly [(input: Variables['input']) => Promise<CommandResult<Answer>>, boolean] {
  const { t } = useTranslation();
  const [mutate, { loading }] = useMutation(document as TypedDocumentNode<Answer, OperationVariables>);
  const key = useRef<string | null>(null);
  const names = refetch.join();
  const run = useCallback(
    async (input: Variables['input']): Promise<CommandResult<Answer>> => {
      key.current ??= crypto.randomUUID();
      try {
        const { data } = await mutate({ variables: { input: { ...input, idempotencyKey: key.current } }, refetchQueries: names === '' ? [] : names.split(','), awaitRefetchQueries: true });
        key.current = null;
        return readResult(data as Answer);
      } catch (error) {
        return { ok: false, refusal: { message: isAnswered(error) ? t(`trouble.${troubleOf(error)}.text`) : t('trouble.noAnswer'), fields: [] } };
      }
    },
    [mutate, names, t],
  );
  return [run, loading];
}
