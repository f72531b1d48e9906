import { parseMoney } from '@kilotoken/money';
import { z } from 'zod';

/** An exact amount of a unit that is not negative, as the wire and JSON columns have it. */
export const amountSchema = z.string().refine((text) => {
  try {
    return parseMoney(text) >= 0n;
  } catch {
    return false;
  }
}, 'must be an exact amount, such as "0.00036"');
