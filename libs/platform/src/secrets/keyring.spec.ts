import { describe, expect, it } from '@jest/globals';
import { createKeyring, isSealed } from './keyring.js';

const oldKey = 'an-old-key-of-more-than-32-characters';
const newKey = 'a-new-key-of-more-than-thirty-two-characters';
const purpose = 'webhook_secret/acme/1';

describe('a keyring', () => {
  it('opens a sealed text for its purpose alone, and seals the same text differently each time', () => {
    const keyring = createKeyring([oldKey]);
    const sealed = keyring.seal('whsec_ü', purpose);
    expect(isSealed(sealed)).toBe(true);
    expect(sealed).not.toContain('whsec');
    expect(keyring.seal('whsec_ü', purpose)).not.toBe(sealed);
    expect(keyring.open(sealed, purpose)).toBe('whsec_ü');
    expect(() => keyring.open(sealed, 'webhook_secret/acme/2')).toThrow('secret_unreadable');
  });

  it('seals with the first key and opens with every key, so that a key can be replaced', () => {
    const sealed = createKeyring([oldKey]).seal('secret', purpose);
    const both = createKeyring([newKey, oldKey]);
    expect(both.open(sealed, purpose)).toBe('secret');
    expect([both.isCurrent(sealed), both.isCurrent(both.seal('secret', purpose))]).toEqual([false, true]);
    expect(() => createKeyring([newKey]).open(sealed, purpose)).toThrow('secret_unreadable');
  });

  it('refuses a text that was changed, cut or never sealed', () => {
    const keyring = createKeyring([oldKey]);
    const sealed = keyring.seal('secret', purpose);
    const otherThan = (character: string): string => (character === 'A' ? 'B' : 'A');
    const changed = [...sealed].map((character, at) => sealed.slice(0, at) + otherThan(character) + sealed.slice(at + 1));
    for (const damaged of [...changed, sealed.slice(0, 30), `${sealed}.`, `${sealed}=`, 'whsec_plain']) expect(() => keyring.open(damaged, purpose)).toThrow('secret_unreadable');
  });

  it('derives different keys for different uses, and refuses short ones', () => {
    const [signing] = createKeyring([oldKey]).derive('cookies');
    const [other] = createKeyring([oldKey]).derive('mail');
    expect(signing!.secret).not.toBe(other!.secret);
    expect(() => createKeyring(['short'])).toThrow(RangeError);
    expect(() => createKeyring([])).toThrow(RangeError);
  });
});
