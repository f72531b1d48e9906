import { createUnionType, InterfaceType, ObjectType } from '@nestjs/graphql';
import type { Type } from '@nestjs/common';
import { AppError, type PublicValues } from '@kilotoken/platform';
import { Flag, Json, Of, Text } from './field.js';
import { readIdOf, type GlobalId, type NodeType } from './global-id.js';

/** Refusals that a caller is told as data: each result is a union of them and of success. */
@InterfaceType({ description: 'Why a change was refused.', resolveType: ({ __typename }: { __typename: string }) => __typename })
class Problem {
  @Text('For people, in English.')
  readonly message!: string;

  @Text('A stable code of the refusal, such as `last_owner`.')
  readonly code!: string;

  @Json('The values that the message names, by their names, such as `{ "max": 10 }`.')
  readonly values!: PublicValues;
}

@ObjectType({ description: 'One field of the input that is wrong.' })
class FieldProblem {
  @Text('The field, such as `amount`.')
  readonly path!: string;

  @Text('The form that would be right.')
  readonly message!: string;
}

@ObjectType({ implements: () => [Problem], description: 'The input is wrong; nothing was changed.' })
class InvalidInput extends Problem {
  readonly __typename!: 'InvalidInput';

  @Of(() => [FieldProblem], 'The fields that are wrong.')
  readonly fields!: FieldProblem[];
}

@ObjectType({ implements: () => [Problem], description: 'The viewer may see the object but not do this.' })
class Forbidden extends Problem {
  readonly __typename!: 'Forbidden';

  @Text('The permission that is missing, such as `keys.write`.')
  readonly permission!: string;
}

@ObjectType({ implements: () => [Problem], description: 'There is no such object, or it is not the viewer\'s.' })
class NotFound extends Problem {
  readonly __typename!: 'NotFound';
}

@ObjectType({ implements: () => [Problem], description: 'The state of the object, or an earlier change, does not allow this.' })
class Conflict extends Problem {
  readonly __typename!: 'Conflict';
}

@ObjectType({ description: 'The change was made; there is nothing to show.' })
export class Done {
  readonly __typename!: 'Done';

  @Flag('Always true.')
  readonly ok!: boolean;
}
export const done: Done = { __typename: 'Done', ok: true };

export type AnyProblem = InvalidInput | Forbidden | NotFound | Conflict;
const problemTypes = [InvalidInput, Forbidden, NotFound, Conflict] as const;

/** `union CreateProjectResult = Project | InvalidInput | …`; successes come first. */
export const resultUnion = (name: string, ...successes: readonly Type<unknown>[]): object =>
  createUnionType<Type<unknown>[]>({
    name,
    description: `The outcome of \`${name.charAt(0).toLowerCase()}${name.slice(1).replace(/Result$/, '')}\`.`,
    types: () => [...successes, ...problemTypes],
    resolveType: (value: { __typename: string }) => value.__typename,
  }) as object;

/** Thrown by authorization where the viewer lacks a permission. */
export const forbidden = (permission: string): AppError => new AppError({ code: 'permission_missing', kind: 'forbidden', publicMessage: `The permission ${permission} is needed.`, values: { permission } });

/** Thrown by authorization and look-ups alike, so that neither tells whether the object exists. */
export const notFound = (): AppError => new AppError({ code: 'object_not_found', kind: 'not_found', publicMessage: 'There is no such object.' });

export const invalidInput = (path: string, message: string): AppError => new AppError({ code: 'input_invalid', kind: 'invalid', publicMessage: `${path}: ${message}` });

/** Runs a change; a refusal that the caller can do something about is answered as data, anything else is thrown. */
export const answering = async <Success>(change: () => Promise<Success>): Promise<Success | AnyProblem> => {
  try {
    return await change();
  } catch (error) {
    const problem = error instanceof AppError ? problemOf(error) : null;
    if (problem) return problem;
    throw error;
  }
};

const problemOf = ({ kind, code, publicMessage: message, values }: AppError): AnyProblem | null => {
  const told = { message, code, values };
  switch (kind) {
    case 'invalid':
      return { __typename: 'InvalidInput', ...told, fields: fieldsOf(message) };
    case 'forbidden':
      return { __typename: 'Forbidden', ...told, permission: String(values['permission'] ?? '') };
    case 'not_found':
      return { __typename: 'NotFound', ...told };
    case 'conflict':
      return { __typename: 'Conflict', ...told };
    default:
      return null;
  }
};

/** Libraries join their refusals as `path: message; path: message`. */
const fieldsOf = (message: string): FieldProblem[] =>
  message.split('; ').flatMap((part) => {
    const found = /^([A-Za-z][\w.]*): (.+)$/s.exec(part);
    return found ? [{ path: found[1]!, message: found[2]! }] : [];
  });

/** The place that a global id of this type names; not found for any other text. */
export const placeOf = (type: NodeType, id: string): GlobalId => {
  const found = readIdOf(type, id);
  if (!found) throw notFound();
  return found;
};
