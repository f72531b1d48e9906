import { Alert, Box, Button, Group, Stack, Text, Textarea } from '@mantine/core';
import { CircleAlert, MessageSquare, SendHorizontal, Square } from 'lucide-react';
import { useState, type FormEvent, type KeyboardEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { Panel } from '../../components/page.tsx';
import { EmptyState } from '../../components/states.tsx';
import type { PlaygroundChoicesQuery } from '../../graphql/generated/types.ts';
import { Spent } from './spent.tsx';
import type { Chat, Turn } from './use-chat.ts';
import classes from './conversation.module.css';

export type Model = NonNullable<PlaygroundChoicesQuery['organization']>['models'][number];

interface ConversationProps {
  readonly chat: Chat;
  readonly model: Model | undefined;
  readonly onSend: ((text: string) => void) | undefined;
}

export function Conversation({ chat, model, onSend }: ConversationProps) {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const send = (event?: FormEvent): void => {
    event?.preventDefault();
    if (text.trim() === '' || chat.busy || !onSend) return;
    onSend(text.trim());
    setText('');
  };
  const sendByKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <Panel>
      <Stack gap="md">
        <div className={classes['turns']} role="log" aria-label={t('playground.conversation')} tabIndex={0}>
          {chat.turns.length === 0 && <EmptyState icon={MessageSquare} title={t('playground.empty.title')} text={t('playground.empty.text')} />}
          {chat.turns.map((turn, index) => (
            <TurnView key={index} turn={turn} model={model} isRunning={chat.busy && index === chat.turns.length - 1} />
          ))}
        </div>
        {chat.problem && (
          <Alert color="red" role="alert" icon={<CircleAlert size={18} aria-hidden="true" />} p="sm">
            {chat.problem}
          </Alert>
        )}
        <form onSubmit={send}>
          <Group gap="xs" align="flex-end" wrap="nowrap">
            <Textarea flex={1} autosize minRows={2} maxRows={8} aria-label={t('playground.message')} placeholder={t('playground.placeholder')} value={text} onChange={(event) => setText(event.currentTarget.value)} onKeyDown={sendByKey} />
            {chat.busy ? (
              <Button variant="default" leftSection={<Square size={14} aria-hidden="true" />} onClick={chat.stop}>
                {t('playground.stop')}
              </Button>
            ) : (
              <Button type="submit" disabled={!onSend || text.trim() === ''} leftSection={<SendHorizontal size={15} aria-hidden="true" />}>
                {t('playground.send')}
              </Button>
            )}
          </Group>
        </form>
      </Stack>
    </Panel>
  );
}

interface TurnViewProps {
  readonly turn: Turn;
  readonly model: Model | undefined;
  readonly isRunning: boolean;
}

function TurnView({ turn, model, isRunning }: TurnViewProps) {
  const { t } = useTranslation();
  const isAnswer = turn.role === 'assistant';
  return (
    <Box className={classes[turn.role]}>
      <Text size="xs" fw={600} className="quiet" mb={2}>
        {isAnswer ? (model?.id ?? t('playground.answer')) : t('playground.you')}
      </Text>
      <Text size="md" className={classes['text']}>
        {turn.content}
        {isRunning && <span className={classes['caret']} aria-hidden="true" />}
      </Text>
      {isAnswer && <Spent turn={turn} model={model} isRunning={isRunning} />}
    </Box>
  );
}
