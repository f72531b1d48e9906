import { InterfaceType } from '@nestjs/graphql';
import { Id } from './field.js';
import type { NodeType } from './global-id.js';

@InterfaceType('Node', { description: 'An object that its global id finds again.', resolveType: ({ __typename }: NodeObject) => __typename })
export class NodeObject {
  readonly __typename!: NodeType;

  @Id('Its global id.')
  readonly id!: string;
}
