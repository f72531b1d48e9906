import type { Command } from 'commander';
import { platformId, queueNames, type QueueName } from '@kilotoken/contracts';
import { listJobs, retryJobs, type ListedJob } from '@kilotoken/events';
import { getOrganization } from '@kilotoken/identity';
import { addCommand, addPageOptions, iso, organizationOption, readPage, type Context } from './context.js';
import type { Row, Value } from './output.js';

const platform = 'platform';

const jobRow = (job: ListedJob): Row => ({
  id: job.id,
  queue: job.queue,
  organizationId: job.organizationId === platformId ? platform : job.organizationId,
  key: job.key,
  event: job.eventId,
  status: job.status,
  attempts: job.attempts,
  attemptsMax: job.attemptsMax,
  outcome: job.outcome as Value,
  payload: job.payload as Value,
  nextAt: iso(job.nextAt),
  createdAt: iso(job.createdAt),
  finishedAt: iso(job.finishedAt),
});

/** The row with the reason in place of the whole outcome, short enough for one line. */
const readableRow = ({ outcome, ...row }: Row): Row => ({ ...row, reason: (outcome as { readonly reason?: string } | null)?.reason ?? null });

export const addJobCommands = (jobs: Command, context: Context): void => {
  const ownerOf = async (command: Command): Promise<{ organizationId?: string }> => {
    const { org } = command.opts<{ org?: string }>();
    if (org === undefined) return {};
    return { organizationId: org === platform ? platformId : (await getOrganization(context.reader, org)).id };
  };
  const owner = [organizationOption[0], `of one organization, or "${platform}" for the platform's own (default: all)`] as const;
  const queueOption = ['--queue <queue>', `of one queue: ${queueNames.join(', ')}`] as const;

  const list = addCommand(jobs, 'list', 'show jobs, oldest first; a job is dead after its last attempt failed', async (command) => {
    const { queue, status } = command.opts<{ queue?: string; status?: string }>();
    // The library refuses an unknown status.
    const filter = { ...(queue === undefined ? {} : { queue }), ...(status === undefined ? {} : { status: status as ListedJob['status'] }) };
    const rows = (await listJobs(context.pool, { ...(await ownerOf(command)), ...readPage(command), ...filter })).map(jobRow);
    const columns = { queue: 'QUEUE', key: 'KEY', status: 'STATUS', attempts: 'ATTEMPTS', reason: 'LAST REASON', nextAt: 'NEXT', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: 'No jobs match.', readable: rows.map(readableRow) });
  })
    .option(...owner)
    .option(...queueOption)
    .option('--status <status>', 'waiting, running, done or dead');
  addPageOptions(list, 'id');

  addCommand(jobs, 'retry [id]', 'run one job again with all its attempts, or with --dead all dead jobs of a queue', async (command) => {
    const [id] = command.processedArgs as [string | undefined];
    const { queue, dead = false } = command.opts<{ queue?: string; dead?: boolean }>();
    if ((id === undefined) === !dead || (queue !== undefined) !== dead) command.error('error: give the id of a job, or --dead and --queue');
    const asked = id === undefined ? { queue: queue as QueueName, ...(await ownerOf(command)) } : { id };
    context.printRow(command, { retried: await retryJobs(context.pool, asked) });
  })
    .option('--dead', 'all dead jobs of the queue, at most 10,000')
    .option(...queueOption)
    .option(...owner);
};
