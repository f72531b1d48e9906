import { getNullableType, isEnumType, isInputObjectType, isListType, isNonNullType, isScalarType, type GraphQLInputType } from 'graphql';

/** A value that its type takes, with nothing that it can do without. `scalars` has a value for each scalar by its name. */
export const honestValue = (type: GraphQLInputType, scalars: Readonly<Record<string, unknown>>): unknown => {
  const inner = getNullableType(type);
  if (isListType(inner)) return [];
  if (isEnumType(inner)) return inner.getValues()[0]!.name;
  if (isInputObjectType(inner)) return Object.fromEntries(Object.values(inner.getFields()).filter(({ type: field }) => isNonNullType(field)).map(({ name, type: field }) => [name, honestValue(field, scalars)]));
  return isScalarType(inner) ? (scalars[inner.name] ?? null) : null;
};

export const honestScalars = { String: 'name', Int: 1, Boolean: true, Decimal: '1', DateTime: '2026-11-01T00:00:00Z' } as const;
