import { ApolloArmor } from '@escape.tech/graphql-armor';
import type { ApolloServerPlugin } from '@apollo/server';
import { NoSchemaIntrospectionCustomRule, type GraphQLError, type ValidationContext, type ValidationRule } from 'graphql';
import { operationLimits } from './limits.js';

const { depthMax, aliasesMax, directivesMax } = operationLimits;

/** Reported like any other validation error; thrown, it would be a failure of the server. */
const reported = { propagateOnRejection: false, onReject: [(context: ValidationContext | null, error: GraphQLError): void => context?.reportError(error)] };

const armor = new ApolloArmor({
  // Introspection nests deeper than any honest operation, and it is small.
  maxDepth: { n: depthMax, flattenFragments: true, ignoreIntrospection: true, ...reported },
  maxAliases: { n: aliasesMax, allowList: ['__typename'], ...reported },
  maxDirectives: { n: directivesMax, ...reported },
  blockFieldSuggestion: { enabled: true },
  // Counted by `cost.ts`, which knows the sizes of lists.
  costLimit: { enabled: false },
  // Apollo Server's own answers 400.
  maxTokens: { enabled: false },
}).protect();

/** The rules that an operation is held to beside those of GraphQL itself, over HTTP and on the socket. */
export const validationRules = (isProduction: boolean): ValidationRule[] => [...(armor.validationRules as ValidationRule[]), ...(isProduction ? [NoSchemaIntrospectionCustomRule] : [])];

export const armorPlugins: readonly ApolloServerPlugin[] = armor.plugins as ApolloServerPlugin[];
