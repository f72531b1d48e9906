import { Field, ID, Int, type ReturnTypeFunc } from '@nestjs/graphql';
import { DateTime, Decimal, JsonObject } from './scalars.js';

/** Fields by what they hold. Each has a description, and says where it may be null. */
type FieldOptions = { nullable?: boolean; deprecationReason?: string };

const fieldOf =
  (type: ReturnTypeFunc) =>
  (description: string, options: FieldOptions = {}): PropertyDecorator & MethodDecorator =>
    Field(type, { description, ...options });

export const Id = fieldOf(() => ID);
export const Text = fieldOf(() => String);
export const Texts = fieldOf(() => [String]);
export const Flag = fieldOf(() => Boolean);
export const Count = fieldOf(() => Int);
export const Counts = fieldOf(() => [Int]);
export const Moment = fieldOf(() => DateTime);
export const Exact = fieldOf(() => Decimal);
export const Json = fieldOf(() => JsonObject);
export const Of = (type: ReturnTypeFunc, description: string, options: FieldOptions = {}): PropertyDecorator & MethodDecorator => Field(type, { description, ...options });
export const optional: FieldOptions = { nullable: true };
