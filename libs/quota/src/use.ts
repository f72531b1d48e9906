import { completionTokens, promptTokens } from '@kilotoken/contracts';
import { totalIn, type Charge } from '@kilotoken/usage';
import { whole, type Amount, type Limit } from './limit.js';

/** The use of a measure by a request that was dispatched; of money, in the limit's unit. */
export const usedOf =
  ({ counts, portions }: Charge) =>
  ({ measure, unit }: Pick<Limit, 'measure' | 'unit'>): Amount => {
    switch (measure) {
      case 'requests':
        return whole(1);
      case 'concurrency':
        return 0n;
      case 'input_tokens':
        return whole(promptTokens(counts));
      case 'output_tokens':
        return whole(completionTokens(counts));
      case 'tokens':
        return whole(promptTokens(counts) + completionTokens(counts));
      case 'money':
        return totalIn(portions, unit).charge;
    }
  };
