import { useQuery } from '@apollo/client/react';
import { Select, Text } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { LimitKeysDocument, LimitSubjectsDocument } from '../../graphql/generated/limits.ts';
import type { LimitFieldsFragment } from '../../graphql/generated/types.ts';
import { useMay, useOrganization } from '../../session/organization.tsx';

export type Subject = LimitFieldsFragment['subject'];

const kinds = ['organization', 'project', 'api_key', 'end_users'] as const;
type Kind = (typeof kinds)[number];
const isKind = (kind: string): kind is Kind => (kinds as readonly string[]).includes(kind);

export function SubjectName({ subject }: { readonly subject: Subject }) {
  const { t } = useTranslation();
  const kind = isKind(subject.kind) ? t(`subjects.${subject.kind}`) : subject.kind;
  const hasName = subject.kind === 'project' || subject.kind === 'api_key';
  return (
    <Text size="sm" fw={500}>
      {hasName ? subject.name : kind} {hasName && <span className="quiet">· {kind}</span>}
    </Text>
  );
}

interface SubjectSelectProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly withEndUsers?: boolean;
  readonly error?: string;
}

/** Values are `kind` or `kind id`. */
export function SubjectSelect({ value, onChange, withEndUsers = false, error }: SubjectSelectProps) {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const mayReadKeys = useMay('keys.read');
  const { data } = useQuery(LimitSubjectsDocument, { variables: { organizationId: id } });
  const { data: keyData } = useQuery(LimitKeysDocument, { variables: { organizationId: id }, skip: !mayReadKeys });
  const projects = data?.organization?.projects.nodes ?? [];
  const keys = keyData?.organization?.apiKeys.nodes ?? [];
  return (
    <Select
      label={t('limits.for')}
      searchable
      allowDeselect={false}
      value={value}
      onChange={(next) => onChange(next ?? 'organization')}
      error={error}
      data={[
        { group: t('limits.everybody'), items: [{ value: 'organization', label: t('subjects.organization') }, ...(withEndUsers ? [{ value: 'end_users', label: t('subjects.end_users') }] : [])] },
        { group: t('places.projects'), items: projects.map((project) => ({ value: `project ${project.id}`, label: project.name })) },
        { group: t('places.keys'), items: keys.map((key) => ({ value: `api_key ${key.id}`, label: `${key.name} · ${key.prefix}…` })) },
      ]}
    />
  );
}

export const readSubject = (value: string): { readonly kind: string; readonly id?: string } => {
  const [kind, id] = value.split(' ') as [string, string | undefined];
  return id === undefined ? { kind } : { kind, id };
};
