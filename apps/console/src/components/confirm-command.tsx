import type { TypedDocumentNode } from '@apollo/client';
import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useCommand, type Success } from '../api/command.ts';
import { Problem } from './command-form.tsx';

interface ConfirmCommandProps<Answer extends object, Variables extends { input: { idempotencyKey?: string | null | undefined } }> {
  readonly document: TypedDocumentNode<Answer, Variables>;
  readonly input: Variables['input'];
  readonly title: string;
  readonly text: string;
  readonly confirm: string;
  readonly danger?: boolean;
  readonly refetch?: readonly string[];
  readonly onClose: () => void;
  readonly onDone?: (value: Success<Answer>) => void;
}

/** Asks before it does; says what will happen, and stays open with the reason when it did not. */
export function ConfirmCommand<Answer extends object, Variables extends { input: { idempotencyKey?: string | null | undefined } }>(props: ConfirmCommandProps<Answer, Variables>) {
  const { document, input, title, text, confirm, danger = false, refetch = [], onClose, onDone } = props;
  const { t } = useTranslation();
  const [problem, setProblem] = useState<string | null>(null);
  const [run, busy] = useCommand(document, refetch);
  const send = async (): Promise<void> => {
    const result = await run(input);
    if (!result.ok) {
      setProblem(result.refusal.message);
      return;
    }
    onDone?.(result.value);
    onClose();
  };
  return (
    <Modal opened title={title} onClose={onClose} closeButtonProps={{ 'aria-label': t('common.close') }}>
      <Stack gap="sm">
        <Problem text={problem} />
        <Text size="sm">{text}</Text>
        <Group justify="flex-end" gap="xs" mt="xs">
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
          <Button color={danger ? 'red' : undefined} loading={busy} onClick={() => void send()} data-autofocus>
            {confirm}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
