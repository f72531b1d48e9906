import { useCallback, useRef } from 'react';
import { useCommand, type CommandResult } from '../../api/command.ts';
import { OpenPlaygroundDocument } from '../../graphql/generated/playground.ts';
import type { OpenPlaygroundMutation } from '../../graphql/generated/types.ts';

/** A key is asked for anew so long before its end that an answer of usual length still fits. */
const SPARE_MS = 60_000;

interface PlaygroundKey {
  readonly projectId: string;
  readonly secret: string;
  readonly gatewayUrl: string;
  readonly expiresAt: string;
}

type Opened = { readonly ok: true; readonly key: PlaygroundKey } | Extract<CommandResult<OpenPlaygroundMutation>, { ok: false }>;

/** A key of a quarter of an hour for this person and project; it is kept in memory alone. */
export function usePlaygroundKey(): (projectId: string) => Promise<Opened> {
  const [open] = useCommand(OpenPlaygroundDocument);
  const held = useRef<PlaygroundKey | null>(null);
  return useCallback(
    async (projectId) => {
      const key = held.current;
      if (key && key.projectId === projectId && Date.parse(key.expiresAt) - SPARE_MS > Date.now()) return { ok: true, key };
      const result = await open({ projectId });
      if (!result.ok) return result;
      const { secret, gatewayUrl, expiresAt } = result.value;
      held.current = { projectId, secret, gatewayUrl, expiresAt };
      return { ok: true, key: held.current };
    },
    [open],
  );
}
