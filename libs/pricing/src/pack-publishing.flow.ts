import { exactDecimal, tokenClasses } from '@kilotoken/contracts';
import { formatMoney, parseMoney, roundingModes } from '@kilotoken/money';
import { AppError, mintId, readDatabaseNow } from '@kilotoken/platform';
import type { PrismaDb } from '@kilotoken/platform/prisma';
import { z } from 'zod';
import { packUnitPattern } from './pack.js';
import { soonestEffectiveAt } from './price-version.js';

const weightSchema = exactDecimal('must be an exact decimal, such as "0.1"');

const newPackUnitSchema = z.object({
  unit: z.string().regex(packUnitPattern, 'must be lower-case letters, digits and dashes, such as qwen-pack'),
  decimals: z.int().min(0).max(12).default(12),
  rounding: z.enum(roundingModes).default('half_even'),
});
export type NewPackUnit = z.input<typeof newPackUnitSchema>;

const newBurnTableSchema = z.object({
  unit: z.string(),
  /** Null: every model without its own table. */
  modelId: z.string().nullable(),
  /** By token class: units for `per` tokens; null keeps the class out of the scope of the pack. */
  weights: z.partialRecord(z.enum(tokenClasses), weightSchema.nullable()).refine((weights) => Object.values(weights).some((weight) => weight !== null && weight !== '0'), 'must have a weight above zero'),
  per: z.bigint().min(1n).default(1n),
  /** Null: as soon as every gateway knows the table. */
  effectiveAt: z.date().nullable().default(null),
});
export type NewBurnTable = z.input<typeof newBurnTableSchema>;

export interface PackUnitView {
  readonly unit: string;
  readonly decimals: number;
  readonly rounding: string;
}

export interface BurnTableView {
  readonly id: string;
  readonly unit: string;
  readonly modelId: string | null;
  readonly effectiveAt: Date;
  readonly weights: Readonly<Record<string, string | null>>;
  readonly per: bigint;
}

const invalid = (publicMessage: string): AppError => new AppError({ code: 'pack_invalid', kind: 'invalid', publicMessage });

const parse = <Schema extends z.ZodType>(schema: Schema, input: z.input<Schema>): z.output<Schema> => {
  const { success, data, error } = schema.safeParse(input);
  if (!success) throw invalid(z.prettifyError(error));
  return data;
};

/** Declares a pack unit. Declaring the same again changes nothing; throws `pack_unit_declared` if its decimals or rounding differ. */
export const declarePackUnit = async (db: PrismaDb, input: NewPackUnit): Promise<PackUnitView> => {
  const wanted = parse(newPackUnitSchema, input);
  await db.packUnit.createMany({ data: [wanted], skipDuplicates: true });
  const { unit, decimals, rounding } = await db.packUnit.findUniqueOrThrow({ where: { unit: wanted.unit } });
  if (decimals !== wanted.decimals || rounding !== wanted.rounding) {
    const publicMessage = `The unit ${unit} is declared with ${decimals} decimals and rounding ${rounding}, which can never change. Declare another unit.`;
    throw new AppError({ code: 'pack_unit_declared', kind: 'conflict', publicMessage });
  }
  return { unit, decimals, rounding };
};

/** Publishes a burn table. The first of a unit and model takes effect at once, a later one when every gateway knows it. */
export const publishBurnTable = async (db: PrismaDb, input: NewBurnTable): Promise<BurnTableView> => {
  const { unit, modelId, weights, per, effectiveAt } = parse(newBurnTableSchema, input);
  if (!(await db.packUnit.findUnique({ where: { unit } }))) throw new AppError({ code: 'pack_unit_not_found', kind: 'not_found', publicMessage: `There is no pack unit ${unit}. Declare it first.` });
  if (modelId !== null && !(await db.model.findUnique({ where: { id: modelId } }))) throw new AppError({ code: 'model_not_found', kind: 'not_found', publicMessage: `There is no model ${modelId}.` });
  const now = await readDatabaseNow(db);
  const latest = await db.burnTable.findFirst({ where: { unit, modelId }, orderBy: { effectiveAt: 'desc' }, select: { effectiveAt: true } });
  const soonest = soonestEffectiveAt(now, latest?.effectiveAt ?? null);
  if (effectiveAt && effectiveAt < soonest) throw invalid(`effectiveAt: must be ${soonest.toISOString()} or later, when every gateway knows the table`);
  const id = mintId(now.getTime());
  const begins = effectiveAt ?? soonest;
  const shown = Object.fromEntries(Object.entries(weights).map(([tokenClass, weight]) => [tokenClass, weight === null ? null : formatMoney(parseMoney(weight))]));
  await db.burnTable.create({ data: { id, unit, modelId, effectiveAt: begins } });
  await db.burnWeight.createMany({ data: Object.entries(shown).map(([tokenClass, amount]) => ({ burnTableId: id, tokenClass, amount, per })) });
  return { id, unit, modelId, effectiveAt: begins, weights: shown, per };
};
