import { useCallback, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { refusalText } from '../../api/refusal.ts';
import { ChatRefusal, streamChat, type ChatMessage, type Usage } from './chat-stream.ts';
import { usePlaygroundKey } from './use-playground-key.ts';

export interface Turn extends ChatMessage {
  /** Pieces that have come; about one token each, until the gateway has counted. */
  readonly pieces: number;
  readonly usage: Usage | null;
  readonly stopped: boolean;
}

export interface Chat {
  readonly turns: readonly Turn[];
  readonly problem: string | null;
  readonly busy: boolean;
  readonly send: (question: { readonly projectId: string; readonly model: string; readonly system: string; readonly maxTokens: number; readonly text: string }) => void;
  readonly stop: () => void;
  readonly clear: () => void;
}

const turnOf = (role: 'user' | 'assistant', content: string): Turn => ({ role, content, pieces: 0, usage: null, stopped: false });

export function useChat(): Chat {
  const { t } = useTranslation();
  const openKey = usePlaygroundKey();
  const [turns, setTurns] = useState<readonly Turn[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const running = useRef<AbortController | null>(null);

  const changeLast = (change: (turn: Turn) => Turn): void => setTurns((known) => known.map((turn, index) => (index === known.length - 1 ? change(turn) : turn)));

  const run = useCallback(
    async ({ projectId, model, system, maxTokens, text }: Parameters<Chat['send']>[0]): Promise<void> => {
      const controller = new AbortController();
      running.current = controller;
      setBusy(true);
      setProblem(null);
      const before = turns.map(({ role, content }) => ({ role, content }));
      setTurns([...turns, turnOf('user', text), turnOf('assistant', '')]);
      const messages: ChatMessage[] = [...(system.trim() === '' ? [] : [{ role: 'system', content: system } as const]), ...before, { role: 'user', content: text }];
      try {
        const opened = await openKey(projectId);
        if (!opened.ok) {
          setProblem(opened.refusal.message);
          setTurns(turns);
          return;
        }
        const { secret, gatewayUrl } = opened.key;
        for await (const event of streamChat({ gatewayUrl, secret, model, messages, maxTokens, signal: controller.signal })) {
          if (event.kind === 'text') changeLast((turn) => ({ ...turn, content: turn.content + event.text, pieces: turn.pieces + 1 }));
          else changeLast((turn) => ({ ...turn, usage: event.usage }));
        }
      } catch (error) {
        if (controller.signal.aborted) changeLast((turn) => ({ ...turn, stopped: true }));
        else setProblem(error instanceof ChatRefusal && error.message !== '' ? refusalText('gateway', error.code, error.message) : t('playground.unreachable'));
      } finally {
        setBusy(false);
      }
    },
    [openKey, t, turns],
  );

  return {
    turns,
    problem,
    busy,
    send: (question) => void run(question),
    stop: () => running.current?.abort(),
    clear: () => {
      setTurns([]);
      setProblem(null);
    },
  };
}
