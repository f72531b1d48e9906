/** Bounds of one operation, for each caller alike. `docs/graphql.md` names them. */
export const operationLimits = {
  /** Fields within fields. */
  depthMax: 9,
  aliasesMax: 15,
  directivesMax: 10,
  tokensMax: 2_000,
  /** Fields, each times the sizes of the lists that it stands in. */
  costMax: 20_000,
  bodyBytesMax: 64 * 1024,
} as const;
