import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GraphQLSchemaBuilderModule, GraphQLSchemaFactory } from '@nestjs/graphql';
import { lexicographicSortSchema, printSchema, type GraphQLSchema } from 'graphql';
import { resolvers } from './resolvers.js';

@Module({ imports: [GraphQLSchemaBuilderModule] })
class SchemaModule {}

/** The schema by itself, without a server. */
export const buildSchema = async (): Promise<GraphQLSchema> => {
  const app = await NestFactory.createApplicationContext(SchemaModule, { logger: false });
  try {
    return await app.get(GraphQLSchemaFactory).create(resolvers);
  } finally {
    await app.close();
  }
};

/** As `apps/api/schema.graphql` has it. */
export const schemaText = (schema: GraphQLSchema): string => `${printSchema(lexicographicSortSchema(schema))}\n`;
