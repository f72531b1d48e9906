import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Select } from '@mantine/core';
import { FormModal, useCommandForm } from '../../components/command-form.tsx';
import { ConfirmCommand } from '../../components/confirm-command.tsx';
import { SecretModal } from '../../components/copy.tsx';
import { tell } from '../../components/told.ts';
import { RevokeApiKeyDocument, RollApiKeyDocument } from '../../graphql/generated/api-keys.ts';
import type { ApiKeyFieldsFragment } from '../../graphql/generated/types.ts';
import { KeyForm } from './key-form.tsx';
import { UseKey } from './use-key.tsx';

export type KeyAction = { readonly kind: 'create' } | { readonly kind: 'edit' | 'roll' | 'revoke'; readonly key: ApiKeyFieldsFragment };

interface KeyDialogProps {
  readonly action: KeyAction;
  readonly onClose: () => void;
}

const REFETCH = ['ApiKeys'];

export function KeyDialog({ action, onClose }: KeyDialogProps) {
  const { t } = useTranslation();
  const [secret, setSecret] = useState<string | null>(null);
  if (secret !== null) {
    return (
      <SecretModal title={t('keys.created')} secret={secret} onClose={onClose}>
        <UseKey secret={secret} />
      </SecretModal>
    );
  }
  if (action.kind === 'roll') return <RollDialog apiKey={action.key} onSecret={setSecret} onClose={onClose} />;
  if (action.kind === 'revoke') {
    return (
      <ConfirmCommand
        danger
        document={RevokeApiKeyDocument}
        input={{ id: action.key.id }}
        title={t('keys.revokeTitle', { name: action.key.name })}
        text={t('keys.revokeText')}
        confirm={t('keys.revoke')}
        refetch={REFETCH}
        onDone={() => tell(t('keys.revoked', { name: action.key.name }))}
        onClose={onClose}
      />
    );
  }
  return <KeyForm apiKey={action.kind === 'edit' ? action.key : null} onSecret={setSecret} onClose={onClose} />;
}

const overlaps = ['0', '3600', '86400', '604800'] as const;

interface RollDialogProps {
  readonly apiKey: ApiKeyFieldsFragment;
  readonly onSecret: (secret: string) => void;
  readonly onClose: () => void;
}

/** A new secret for the same key; the old one works on for a while, so that programs can be changed without a gap. */
function RollDialog({ apiKey, onSecret, onClose }: RollDialogProps) {
  const { t } = useTranslation();
  const command = useCommandForm({
    document: RollApiKeyDocument,
    initialValues: { overlap: '86400' },
    toInput: ({ overlap }) => ({ id: apiKey.id, overlapSeconds: Number(overlap) }),
    refetch: REFETCH,
    onDone: ({ secret }) => onSecret(secret),
  });
  return (
    <FormModal title={t('keys.rollTitle', { name: apiKey.name })} submit={t('keys.roll')} command={command} onClose={onClose}>
      <Select label={t('keys.overlap')} description={t('keys.overlapText')} allowDeselect={false} data={overlaps.map((value) => ({ value, label: t(`overlaps.${value}`) }))} {...command.form.getInputProps('overlap')} />
    </FormModal>
  );
}
