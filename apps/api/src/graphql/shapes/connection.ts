import { ArgsType, Field, Int, ObjectType } from '@nestjs/graphql';
import type { Type } from '@nestjs/common';
import { GraphQLError } from 'graphql';
import { z } from 'zod';

/** Relay connections with keyset paging: a cursor holds the key of its row, so a page costs the same however far down it is. */
export const pageSizeMax = 100;
export const pageSizeDefault = 25;
const cursorCharactersMax = 600;

@ArgsType()
export class PageArgs {
  @Field(() => Int, { nullable: true, defaultValue: pageSizeDefault, description: `How many, at most ${pageSizeMax}.` })
  readonly first!: number | null;

  @Field(() => String, { nullable: true, description: 'The cursor of the last one of the page before.' })
  readonly after!: string | null;
}

@ObjectType({ description: 'Where a page lies in its list.' })
class PageInfo {
  @Field(() => Boolean, { description: 'Whether more follow.' })
  readonly hasNextPage!: boolean;

  @Field(() => Boolean, { description: 'Whether the page began behind a cursor.' })
  readonly hasPreviousPage!: boolean;

  @Field(() => String, { nullable: true, description: 'The cursor of its first one.' })
  readonly startCursor!: string | null;

  @Field(() => String, { nullable: true, description: 'The cursor of its last one.' })
  readonly endCursor!: string | null;
}

export interface Edge<Item> {
  readonly cursor: string;
  readonly node: Item;
}

export interface Connection<Item> {
  readonly edges: readonly Edge<Item>[];
  readonly nodes: readonly Item[];
  readonly pageInfo: PageInfo;
}

/** The connection type of a node type: `Connection(Grant, 'Grant')` makes GrantConnection and GrantEdge. */
export const connectionType = <Item>(item: Type<Item>, name: string, plural: string): Type<Connection<Item>> => {
  @ObjectType(`${name}Edge`, { description: `One of a page of ${plural}.` })
  class EdgeType {
    @Field(() => String, { description: 'Give it as `after` for the page that begins behind this one.' })
    readonly cursor!: string;

    @Field(() => item, { description: 'The object itself.' })
    readonly node!: Item;
  }

  @ObjectType(`${name}Connection`, { description: `A page of ${plural}.` })
  class ConnectionType implements Connection<Item> {
    @Field(() => [EdgeType], { description: 'The page with a cursor for each.' })
    readonly edges!: readonly Edge<Item>[];

    @Field(() => [item], { description: 'The page without cursors.' })
    readonly nodes!: readonly Item[];

    @Field(() => PageInfo, { description: 'Where the page lies in its list.' })
    readonly pageInfo!: PageInfo;
  }
  return ConnectionType;
};

/** The values by which a list is ordered, the same for each of its rows. */
export type Key = readonly string[];

/** A page that was asked for, for a store: fetch one row more than `first`, to know whether more follow. */
export interface Page {
  readonly first: number;
  readonly after: Key | null;
}

export const badInput = (message: string): GraphQLError => new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });

const keyParts = { uuid: z.uuid(), text: z.string().max(300), count: z.string().regex(/^\d{1,18}$/) } as const;
export type KeyPart = keyof typeof keyParts;

/** Reads the arguments of a list whose key has these parts. Throws where the cursor is of another list. */
export const readPage = ({ first, after }: PageArgs, parts: readonly KeyPart[]): Page => {
  const size = first ?? pageSizeDefault;
  if (size < 1 || size > pageSizeMax) throw badInput(`first: a number from 1 to ${pageSizeMax} is needed`);
  return { first: size, after: after === null || after === undefined ? null : readCursor(after, parts) };
};

const readCursor = (cursor: string, parts: readonly KeyPart[]): Key => {
  const values = cursor.length > cursorCharactersMax || !/^[\w-]*$/.test(cursor) ? null : parseJson(Buffer.from(cursor, 'base64url').toString('utf8'));
  const isOurs = Array.isArray(values) && values.length === parts.length && parts.every((part, index) => keyParts[part].safeParse(values[index]).success);
  if (!isOurs || JSON.stringify(values).includes('\\u0000')) throw badInput('after: a cursor of this list is needed');
  return values as string[];
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    // The caller refuses what is no cursor.
    return null;
  }
};

const writeCursor = (key: Key): string => Buffer.from(JSON.stringify(key)).toString('base64url');

/** Makes a page of rows of which one more than asked was fetched. */
export const connectionOf = <Row, Item>(rows: readonly Row[], { first, after }: Page, keyOf: (row: Row) => Key, itemOf: (row: Row) => Item): Connection<Item> => {
  const edges = rows.slice(0, first).map((row) => ({ cursor: writeCursor(keyOf(row)), node: itemOf(row) }));
  return {
    edges,
    nodes: edges.map(({ node }) => node),
    pageInfo: { hasNextPage: rows.length > first, hasPreviousPage: after !== null, startCursor: edges[0]?.cursor ?? null, endCursor: edges.at(-1)?.cursor ?? null },
  };
};
