import { describe, expect, test } from '@jest/globals';
import { costOf } from './worked-example.js';

const unit = (amount: string): object => ({ price: { amount } });

describe('a price a unit', () => {
  test.each<[string, object, string, string]>([
    // openmeterio/openmeter openmeter/billing/rating/service/rate/unitconfig_rating_test.go
    ['om-unitcfg-1400', { ...unit('10'), quantity: { divide: '1000', round: 'up' } }, '1400', '20'],
    // flexprice/flexprice-docs docs/product-catalogue/plans/use-cases/clone-openai-pricing.mdx
    ['fx-docs-o1-input', unit('0.000015'), '5000000', '75'],
    ['fx-docs-o1-output', unit('0.000060'), '2000000', '120'],
    // killbill/killbill invoice/src/test/java/org/killbill/billing/invoice/usage/TestContiguousIntervalConsumableInArrear.java (issue 1124)
    ['kb-fraction-cents', { ...unit('0.067'), round: { decimals: '2', mode: 'half_up' } }, '55', '3.69'],
    // FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec specification/data/saas_examples/virtual_currency_pricing_model_a2.csv (245 virtual tokens)
    ['focus-a2-q', unit('2'), '245', '490'],
    // FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec specification/data/saas_examples/virtual_currency_pricing_model_a2.csv (360 virtual tokens)
    ['focus-a2-wf', unit('6'), '120', '720'],
    // FOCUS-Sample-Data FOCUS-1.0/focus_sample.csv
    ['focus-aws-sqs', unit('0.0000004'), '7', '0.0000028'],
  ])('costs what its source says: %s', (_, rate, quantity, total) => expect(costOf(rate, quantity)).toBe(total));
});
