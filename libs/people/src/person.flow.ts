import { nameSchema } from '@kilotoken/identity';
import { changeThrough, mintId, sqlStateOf, type ControlPool, type Db } from '@kilotoken/platform';
import { z } from 'zod';
import { hashPassword } from './password.client.js';
import { emailSchema, localeSchema, newPersonSchema, pageSchema, passwordSchema, type NewPerson, type Page, type Person } from './people.js';
import { conflict, explaining, notFound, parseInput } from './people.errors.js';
import { erase, findPerson, insertPerson, listPersonRows, putPassword, setDisabled, updateProfile } from './person.store.js';
import { deleteSessions } from './session.store.js';

/** Changes of people. All take the pool of sign-in in somebody's name (`actingAs`). */
const personNotFound = () => notFound('person', 'There is no such person.');

/** A person with a password and no membership yet: for operators and seeds. Throws `people_invalid` or `person_exists`. */
export const createPerson = async (signIn: ControlPool, input: NewPerson, password: string): Promise<Person> => {
  const person = parseInput(newPersonSchema, input);
  const hash = await hashPassword(parseInput(z.object({ password: passwordSchema }), { password }).password);
  try {
    return await changeThrough(signIn, null, async (db) => {
      const made = await insertPerson(db, { ...person, id: mintId(Date.now()), emailVerified: true });
      await putPassword(db, mintId(Date.now()), made.id, hash);
      return made;
    });
  } catch (error) {
    if (sqlStateOf(error) === '23505') throw conflict('person_exists', 'There is a person with this address already.');
    throw error;
  }
};

/** By id or e-mail address. Throws `person_not_found`. */
export const getPerson = async (db: Db, idOrEmail: string): Promise<Person> => {
  const isId = z.uuid().safeParse(idOrEmail).success;
  const email = emailSchema.safeParse(idOrEmail);
  const person = isId ? await findPerson(db, { id: idOrEmail }) : email.success ? await findPerson(db, { email: email.data }) : null;
  if (!person) throw personNotFound();
  return person;
};

/** In the order of their ids, each with their roles as `slug:role`. */
export const listPeople = (db: Db, page: Page = {}) => {
  const { after, limit } = parseInput(pageSchema, page);
  return listPersonRows(db, after, limit);
};

const profileSchema = z.strictObject({ name: nameSchema.optional(), locale: localeSchema.optional() });

export const changeProfile = async (signIn: ControlPool, personId: string, profile: z.input<typeof profileSchema>): Promise<Person> => {
  const { name, locale } = parseInput(profileSchema, profile);
  const person = await changeThrough(signIn, null, (db) => updateProfile(db, personId, name, locale));
  if (!person) throw personNotFound();
  return person;
};

/** A new password by an operator's hand: every session of the person ends. */
export const replacePassword = async (signIn: ControlPool, personId: string, password: string): Promise<void> => {
  const hash = await hashPassword(parseInput(z.object({ password: passwordSchema }), { password }).password);
  await changeThrough(signIn, null, async (db) => {
    if (!(await findPerson(db, { id: personId }))) throw personNotFound();
    await putPassword(db, mintId(Date.now()), personId, hash);
    await deleteSessions(db, personId, 'all');
  });
};

/** Somebody who is disabled signs in no more, and their sessions end; their memberships stay. Throws `person_not_found`. */
export const setPersonDisabled = async (signIn: ControlPool, personId: string, disabled: boolean): Promise<Person> =>
  changeThrough(signIn, null, async (db) => {
    const person = await setDisabled(db, personId, disabled);
    if (!person) throw personNotFound();
    if (disabled) await deleteSessions(db, personId, 'all');
    return person;
  });

/** Takes away name, address and every way in; the id stays in histories. Throws `person_not_found` or `last_owner`. */
export const erasePerson = async (signIn: ControlPool, personId: string): Promise<void> => {
  if (!(await explaining(changeThrough(signIn, null, (db) => erase(db, personId))))) throw personNotFound();
};
