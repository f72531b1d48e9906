import { AppError, prismaSqlStateOf } from '@kilotoken/platform';
import type { PrismaClient } from '@kilotoken/platform/prisma';
import type { z } from 'zod';
import { grantAdjustmentSchema, grantRefundSchema, type GrantRefund, type GrantRefundRequest, type NewGrantAdjustment } from './grant-change.js';
import { callGrantAdjust, callGrantRefund } from './grant-change.store.js';
import type { GrantBalance } from './grant.js';
import { readGrantBalances } from './grant.store.js';

/**
 * Refunds what remains of a grant, or begins to: `refunded` is null while gateways hold some of it. Throws `grant_invalid`,
 * `grant_not_found`, `grant_closed` when its end has come, `grant_reference_used`.
 */
export const refundGrant = async (prisma: PrismaClient, input: GrantRefundRequest): Promise<GrantRefund> => {
  const request = parse(grantRefundSchema, input);
  const refunded = await explained(() => prisma.$transaction((db) => callGrantRefund(db, request)));
  return { grantId: request.grantId, reference: request.reference, refunded };
};

/**
 * Adds to a grant, or takes from what it has available; answers the grant. Throws as `refundGrant`, and `grant_below_floor` where
 * less than that is available.
 */
export const adjustGrant = async (prisma: PrismaClient, input: NewGrantAdjustment): Promise<GrantBalance> => {
  const adjustment = parse(grantAdjustmentSchema, input);
  return explained(() =>
    prisma.$transaction(async (db) => {
      await callGrantAdjust(db, adjustment);
      return (await readGrantBalances(db, adjustment.organizationId)).find(({ id }) => id === adjustment.grantId)!;
    }),
  );
};

const parse = <Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> => {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const publicMessage = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`).join('; ');
  throw new AppError({ code: 'grant_invalid', kind: 'invalid', publicMessage, cause: parsed.error });
};

type Refusal = Pick<ConstructorParameters<typeof AppError>[0], 'code' | 'kind' | 'publicMessage'>;

/** SQLSTATEs of `grant_refund_request` and `grant_adjust`. */
const refusals: Readonly<Record<string, Refusal>> = {
  KT011: { code: 'grant_reference_used', kind: 'conflict', publicMessage: 'The reference stands for another change, or the grant is being refunded under another reference.' },
  KT021: { code: 'grant_not_found', kind: 'not_found', publicMessage: 'The organization has no such grant.' },
  KT022: { code: 'grant_below_floor', kind: 'conflict', publicMessage: 'The grant has less than that available. What gateways have leased comes back when it is idle.' },
  KT023: { code: 'grant_closed', kind: 'conflict', publicMessage: 'The grant has expired or is being refunded.' },
};

const explained = async <Result>(change: () => Promise<Result>): Promise<Result> => {
  try {
    return await change();
  } catch (error) {
    const refusal = refusals[prismaSqlStateOf(error) ?? ''];
    throw refusal ? new AppError({ ...refusal, cause: error }) : error;
  }
};
