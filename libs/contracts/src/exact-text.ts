/** Schemas of numbers that travel as text, because a double has too few digits. Pure. */
import { parseMoney } from '@kilotoken/money';
import { z } from 'zod';

/** An exact decimal that is not negative and has at most twelve decimals; it stays text. */
export const exactDecimal = (message: string): z.ZodString =>
  z.string().refine((text) => {
    try {
      return parseMoney(text) >= 0n;
    } catch {
      return false;
    }
  }, message);

/** A whole number of up to 64 bits, as drivers read it from Postgres. */
export const wholeText = z.string().regex(/^\d+$/).transform(BigInt);
