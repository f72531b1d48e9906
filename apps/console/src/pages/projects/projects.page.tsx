import { Badge, Button, Text, TextInput } from '@mantine/core';
import { Archive, FolderKanban, Plus } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Count } from '../../components/amount.tsx';
import { FormModal, useCommandForm } from '../../components/command-form.tsx';
import { ConfirmCommand } from '../../components/confirm-command.tsx';
import { KeysetList } from '../../components/keyset-list.tsx';
import { Page, Panel } from '../../components/page.tsx';
import { RowMenu } from '../../components/row-menu.tsx';
import { EmptyState } from '../../components/states.tsx';
import { tell } from '../../components/told.ts';
import { When } from '../../components/when.tsx';
import { ArchiveProjectDocument, CreateProjectDocument, ProjectsDocument } from '../../graphql/generated/projects.ts';
import type { ProjectsQuery } from '../../graphql/generated/types.ts';
import { useMay, useOrganization } from '../../session/organization.tsx';

const connectionOf = (answer: ProjectsQuery) => answer.organization?.projects;
type Project = NonNullable<ProjectsQuery['organization']>['projects']['nodes'][number];

export default function ProjectsPage() {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const mayWrite = useMay('projects.write');
  const [creating, setCreating] = useState(false);
  const [archiving, setArchiving] = useState<Project | null>(null);
  const create = mayWrite && (
    <Button leftSection={<Plus size={16} aria-hidden="true" />} onClick={() => setCreating(true)}>
      {t('projects.create')}
    </Button>
  );
  return (
    <Page title={t('projects.title')} description={t('projects.description')} actions={create}>
      <Panel flush>
        <KeysetList
          caption={t('projects.title')}
          document={ProjectsDocument}
          variables={{ organizationId: id }}
          connectionOf={connectionOf}
          keyOf={(project) => project.id}
          empty={<EmptyState icon={FolderKanban} title={t('projects.empty.title')} text={t('projects.empty.text')} action={create} />}
          columns={[
            { key: 'name', title: t('common.name'), render: ({ name }) => <Text size="sm" fw={500}>{name}</Text> },
            { key: 'state', title: t('projects.state'), render: ({ archivedAt }) => (archivedAt ? <Badge color="gray">{t('projects.archived')}</Badge> : <Badge color="teal">{t('projects.active')}</Badge>) },
            { key: 'keys', title: t('projects.keys'), align: 'right', render: ({ apiKeyCount }) => <Count value={apiKeyCount} /> },
            { key: 'created', title: t('common.created'), from: 'sm', render: ({ createdAt }) => <When at={createdAt} relative /> },
            {
              key: 'actions',
              title: '',
              align: 'right',
              render: (project) => <RowMenu name={project.name} actions={mayWrite && !project.archivedAt ? [{ label: t('projects.archive'), icon: Archive, danger: true, run: () => setArchiving(project) }] : []} />,
            },
          ]}
        />
      </Panel>
      {creating && <CreateProject onClose={() => setCreating(false)} />}
      {archiving && (
        <ConfirmCommand
          danger
          document={ArchiveProjectDocument}
          input={{ id: archiving.id }}
          title={t('projects.archiveTitle', { name: archiving.name })}
          text={t('projects.archiveText')}
          confirm={t('projects.archive')}
          refetch={['Projects']}
          onClose={() => setArchiving(null)}
        />
      )}
    </Page>
  );
}

function CreateProject({ onClose }: { readonly onClose: () => void }) {
  const { t } = useTranslation();
  const { id } = useOrganization();
  const command = useCommandForm({
    document: CreateProjectDocument,
    initialValues: { name: '' },
    validate: { name: (name: string) => (name.trim() === '' ? t('forms.required') : null) },
    toInput: ({ name }) => ({ organizationId: id, name: name.trim() }),
    refetch: ['Projects'],
    onDone: () => {
      tell(t('projects.created'));
      onClose();
    },
  });
  return (
    <FormModal title={t('projects.create')} submit={t('projects.create')} command={command} onClose={onClose}>
      <TextInput label={t('common.name')} required data-autofocus maxLength={200} {...command.form.getInputProps('name')} />
    </FormModal>
  );
}
