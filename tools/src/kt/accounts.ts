import type { Command } from 'commander';
import {
  cancelApproval, listApprovals, listApprovalThresholds, listTransferRules, removeTransferRule, setApprovalThreshold, setTransferRule, type Approval, type ApprovalKind, type ApprovalStatus, type ApprovalThreshold,
  type TransferRule,
} from '@kilotoken/accounts';
import { getOrganization } from '@kilotoken/identity';
import { formatMoney } from '@kilotoken/money';
import { addCommand, addPageOptions, iso, organizationOption, readPage, type Context } from './context.js';
import type { Row } from './output.js';

const approvalRow = (approval: Approval): Row => ({
  id: approval.id,
  organizationId: approval.organizationId,
  kind: approval.kind,
  status: approval.status,
  unit: approval.unit,
  amount: formatMoney(approval.amount),
  reference: approval.reference,
  requestedBy: `${approval.requestedBy.kind} ${approval.requestedBy.id}`,
  requestedAt: iso(approval.requestedAt),
  expiresAt: iso(approval.expiresAt),
  decidedBy: approval.decidedBy && `${approval.decidedBy.kind} ${approval.decidedBy.id}`,
  decidedAt: iso(approval.decidedAt),
  reason: approval.reason,
});

const thresholdRow = ({ kind, unit, amount }: ApprovalThreshold): Row => ({ kind, unit, amount: formatMoney(amount) });
const thresholdView = { columns: { kind: 'KIND', unit: 'UNIT', amount: 'ABOVE' }, nothing: 'Every amount needs a second person.' };

export const addApprovalCommands = (approvals: Command, context: Context): void => {
  const list = addCommand(approvals, 'list', 'show what waits for a second person, and what was decided, newest first', async (command) => {
    const { org, status } = command.opts<{ org?: string; status?: string }>();
    const organizationId = org === undefined ? null : (await getOrganization(context.reader, org)).id;
    // Checked by listApprovals.
    const rows = (await listApprovals(context.reader, { organizationId, status: (status as ApprovalStatus | undefined) ?? null, ...readPage(command) })).map(approvalRow);
    const columns = { status: 'STATUS', kind: 'KIND', amount: 'AMOUNT', unit: 'UNIT', requestedBy: 'ASKED BY', requestedAt: 'AT', decidedBy: 'DECIDED BY', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: 'There are no approvals.' });
  });
  addPageOptions(list, 'id')
    .option('--org <slug, name or id>', 'of one organization (of all, if left out)')
    .option('--status <status>', 'pending, approved, rejected, cancelled or expired');

  addCommand(approvals, 'cancel', 'take back what somebody asked for', async (command) => {
    const { org, id, reason = null } = command.opts<{ org: string; id: string; reason?: string }>();
    const { id: organizationId } = await getOrganization(context.reader, org);
    context.printRow(command, approvalRow(await context.change(organizationId, (db) => cancelApproval(db, { organizationId, id, reason }))));
  })
    .requiredOption(...organizationOption)
    .requiredOption('--id <id>', 'the approval')
    .option('--reason <text>', 'why');

  addCommand(approvals, 'thresholds', 'show above which amounts a second person is needed; * is every unit without one of its own', async (command) => {
    context.printRows(command, (await listApprovalThresholds(context.reader)).map(thresholdRow), thresholdView);
  });

  addCommand(approvals, 'threshold', 'set above which amount acts of a kind need a second person', async (command) => {
    const { kind, unit, amount, none } = command.opts<{ kind: string; unit: string; amount?: string; none?: boolean }>();
    // Checked by setApprovalThreshold.
    const thresholds = await setApprovalThreshold(await context.prisma(), { kind: kind as ApprovalKind, unit, amount: none ? null : (amount ?? '') });
    context.printRows(command, thresholds.map(thresholdRow), thresholdView);
  })
    .requiredOption('--kind <kind>', 'grant.issue, grant.adjust, grant.refund or grant.transfer')
    .option('--unit <unit>', 'a currency, a pack unit, or * for all without one of their own', '*')
    .option('--amount <decimal>', 'such as 1000')
    .option('--none', 'remove it: then * counts, or else every amount');
};

const ruleRow = (rule: TransferRule): Row => ({
  childId: rule.childId,
  unit: rule.unit,
  threshold: formatMoney(rule.threshold),
  amount: formatMoney(rule.amount),
  capPerMonth: formatMoney(rule.capPerMonth),
  transferredThisMonth: formatMoney(rule.transferred),
  createdAt: iso(rule.createdAt),
});

/** Rules of transfers; a transfer by hand is `grants transfer`. */
export const addTransferCommands = (transfers: Command, context: Context): void => {
  const readPlace = async (command: Command) => {
    const { org, to, unit } = command.opts<{ org: string; to: string; unit: string }>();
    return { organizationId: (await getOrganization(context.reader, org)).id, childId: (await getOrganization(context.reader, to)).id, unit };
  };
  const addPlace = (command: Command): Command =>
    command.requiredOption('--org <slug, name or id>', 'the organization that pays').requiredOption('--to <slug, name or id>', 'the organization below it').option('--unit <unit>', 'a currency or a pack unit', 'USD');

  const set = addCommand(transfers, 'set', 'keep an organization in funds: transfer an amount to it when its balance is low', async (command) => {
    const { below: threshold, amount, cap: capPerMonth } = command.opts<{ below: string; amount: string; cap: string }>();
    const rule = { ...(await readPlace(command)), threshold, amount, capPerMonth };
    context.printRow(command, ruleRow(await context.change(rule.organizationId, (db) => setTransferRule(db, rule))));
  });
  addPlace(set)
    .requiredOption('--below <decimal>', 'the balance below which it is done')
    .requiredOption('--amount <decimal>', 'the amount of each transfer')
    .requiredOption('--cap <decimal>', 'the most in a month of UTC');

  addCommand(transfers, 'list', 'show the rules by which an organization pays for those below it', async (command) => {
    const { id } = await getOrganization(context.reader, command.opts<{ org: string }>().org);
    const columns = { childId: 'TO', threshold: 'BELOW', amount: 'AMOUNT', unit: 'UNIT', capPerMonth: 'CAP', transferredThisMonth: 'THIS MONTH' };
    context.printRows(command, (await listTransferRules(context.reader, id)).map(ruleRow), { columns, nothing: 'The organization has no rules of transfers.' });
  }).requiredOption(...organizationOption);

  const remove = addCommand(transfers, 'remove', 'stop keeping an organization in funds', async (command) => {
    const place = await readPlace(command);
    await context.change(place.organizationId, (db) => removeTransferRule(db, place));
    context.printRow(command, { ...place, removed: true });
  });
  addPlace(remove);
};
