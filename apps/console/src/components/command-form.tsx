import type { OperationVariables, TypedDocumentNode } from '@apollo/client';
import { Alert, Button, Group, Modal, Stack } from '@mantine/core';
import { useForm, type UseFormReturnType } from '@mantine/form';
import { CircleAlert } from 'lucide-react';
import { useState, type FormEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useCommand, type Success } from '../api/command.ts';

interface CommandFormOptions<Values, Answer extends object, Variables extends OperationVariables> {
  readonly document: TypedDocumentNode<Answer, Variables>;
  readonly initialValues: Values;
  /** The input, or null when a field cannot be read; `validate` has said so at the field. */
  readonly toInput: (values: Values) => Variables['input'] | null;
  readonly validate?: Partial<Record<keyof Values, (value: never, values: Values) => ReactNode>>;
  readonly refetch?: readonly string[];
  readonly onDone: (value: Success<Answer>) => void;
}

export interface CommandForm<Values extends Record<string, unknown>> {
  readonly form: UseFormReturnType<Values>;
  readonly problem: string | null;
  readonly busy: boolean;
  readonly submit: (event?: FormEvent<HTMLFormElement>) => void;
}

/** A form whose submission is a mutation; a refusal stands at the fields it names, or above them all. */
export function useCommandForm<Values extends Record<string, unknown>, Answer extends object, Variables extends { input: { idempotencyKey?: string | null | undefined } }>(
  options: CommandFormOptions<Values, Answer, Variables>,
): CommandForm<Values> {
  const { document, initialValues, toInput, validate, refetch = [], onDone } = options;
  const form = useForm<Values>({ mode: 'controlled', initialValues, ...(validate && { validate: validate as never }) });
  const [problem, setProblem] = useState<string | null>(null);
  const [run, busy] = useCommand(document, refetch);

  const send = async (values: Values): Promise<void> => {
    const input = toInput(values);
    if (input === null) return;
    const result = await run(input);
    if (result.ok) {
      setProblem(null);
      onDone(result.value);
      return;
    }
    const known = result.refusal.fields.map(({ path, message }) => [path.split('.').at(-1)!, message] as const).filter(([name]) => name in values);
    form.setErrors(Object.fromEntries(known));
    setProblem(known.length > 0 && known.length === result.refusal.fields.length ? null : result.refusal.message);
  };
  return { form, problem, busy, submit: form.onSubmit((values) => void send(values)) };
}

export function Problem({ text }: { readonly text: string | null }) {
  if (text === null) return null;
  return (
    <Alert color="red" role="alert" icon={<CircleAlert size={18} aria-hidden="true" />} p="sm">
      {text}
    </Alert>
  );
}

interface FormModalProps<Values extends Record<string, unknown>> {
  readonly title: string;
  readonly submit: string;
  readonly command: CommandForm<Values>;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/** Mounted while it is open, so that every opening starts empty. */
export function FormModal<Values extends Record<string, unknown>>({ title, submit, command, onClose, children }: FormModalProps<Values>) {
  const { t } = useTranslation();
  return (
    <Modal opened title={title} onClose={onClose} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <form onSubmit={command.submit} noValidate>
        <Stack gap="sm">
          <Problem text={command.problem} />
          {children}
          <Group justify="flex-end" gap="xs" mt="xs">
            <Button variant="default" onClick={onClose}>
              {t('common.cancel')}
            </Button>
            <Button type="submit" loading={command.busy}>
              {submit}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
