import { exactDecimal } from '@kilotoken/contracts';

/** An exact amount of a unit that is not negative, as the wire and JSON columns have it. */
export const amountSchema = exactDecimal('must be an exact amount, such as "0.00036"');
