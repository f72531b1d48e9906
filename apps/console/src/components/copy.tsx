import { ActionIcon, Alert, Button, Code, CopyButton, Group, Modal, Stack, Text, Tooltip } from '@mantine/core';
import { Check, Copy, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import classes from './copy.module.css';

export function CopyIcon({ value }: { readonly value: string }) {
  const { t } = useTranslation();
  return (
    <CopyButton value={value}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? t('copy.done') : t('copy.copy')}>
          <ActionIcon variant="subtle" color="gray" size="sm" onClick={copy} aria-label={copied ? t('copy.done') : t('copy.copy')}>
            {copied ? <Check size={14} /> : <Copy size={14} />}
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  );
}

/** Text that is meant to be copied whole. */
export function Snippet({ label, text }: { readonly label: string; readonly text: string }) {
  return (
    <div className={classes['snippet']}>
      <Code block className={classes['code']} aria-label={label} tabIndex={0}>
        {text}
      </Code>
      <div className={classes['button']}>
        <CopyIcon value={text} />
      </div>
    </div>
  );
}

interface SecretModalProps {
  readonly title: string;
  readonly secret: string;
  readonly onClose: () => void;
  readonly children?: ReactNode;
}

/** A secret that exists in the clear only in this answer: once the window is closed nobody can show it again. */
export function SecretModal({ title, secret, onClose, children }: SecretModalProps) {
  const { t } = useTranslation();
  return (
    <Modal opened title={title} size="lg" onClose={onClose} closeOnClickOutside={false} closeOnEscape={false} withCloseButton={false}>
      <Stack gap="md">
        <Alert color="orange" icon={<TriangleAlert size={18} aria-hidden="true" />} p="sm">
          {t('copy.once')}
        </Alert>
        <Snippet label={title} text={secret} />
        {children}
        <Group justify="flex-end">
          <Button onClick={onClose}>{t('copy.kept')}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

/** The start of a secret, by which a person knows it again. */
export function Prefix({ text }: { readonly text: string }) {
  return (
    <Text span size="xs" ff="monospace" className="quiet">
      {text}…
    </Text>
  );
}
