import { describe, expect, test } from '@jest/globals';
import { costOf, tiered, type StepRow } from './worked-example.js';

const graduated = (rows: readonly StepRow[]): object => tiered('graduated', rows);

const lagoGrad = graduated([['10', '10', '2'], ['20', '5', '3'], [null, '5', '3']]);
const lagoGradpct = graduated([['10', '0.01', '200'], ['20', '0.02', '300'], [null, '0.03', '400']]);
const omGradcalc = graduated([['5', '0', '100'], ['10', '0', '50'], ['15', '10'], [null, '5']]);
const fxSlab = graduated([['10', '50'], ['20', '40'], [null, '30']]);
const fxSlab3 = graduated([['5', '0'], ['10', '2'], [null, '3']]);
const fxSlabflat = graduated([['5', '0', '1'], ['10', '1', '2'], [null, '2']]);
const fxSlabedge = graduated([['1', '10'], ['2', '20'], [null, '30']]);
const kbdAll = graduated([['1000', '1.5'], [null, '2.0']]);

describe('a graduated price', () => {
  test.each<[string, object, string, string]>([
    // docs.stripe.com/subscriptions/pricing-models/tiered-pricing
    ['stripe-graduated-5', graduated([['5', '7'], ['10', '6.5'], [null, '6']]), '5', '35'],
    // getlago/lago-api spec/services/charge_models/graduated_service_spec.rb
    ['lago-grad-1', { ...lagoGrad, flat_at_zero: true }, '1', '12'],
    ['lago-grad-10', { ...lagoGrad, flat_at_zero: true }, '10', '102'],
    ['lago-grad-11', { ...lagoGrad, flat_at_zero: true }, '11', '110'],
    ['lago-grad-12', { ...lagoGrad, flat_at_zero: true }, '12', '115'],
    // getlago/lago-api spec/services/charge_models/graduated_percentage_service_spec.rb
    ['lago-gradpct-1', { ...lagoGradpct, flat_at_zero: true }, '1', '200.01'],
    ['lago-gradpct-10', { ...lagoGradpct, flat_at_zero: true }, '10', '200.1'],
    ['lago-gradpct-12', { ...lagoGradpct, flat_at_zero: true }, '12', '500.14'],
    // openmeterio/openmeter openmeter/billing/rating/service/rate/tieredgraduated_test.go TestTieredPriceCalculator
    ['om-gradcalc-3', { ...omGradcalc, flat_at_zero: true }, '3', '100'],
    ['om-gradcalc-7', { ...omGradcalc, flat_at_zero: true }, '7', '150'],
    ['om-gradcalc-12', { ...omGradcalc, flat_at_zero: true }, '12', '170'],
    // openmeterio/openmeter openmeter/billing/rating/service/rate/unitconfig_rating_test.go
    ['om-unitcfg-grad-7400', { ...graduated([['5', '1'], [null, '0.5']]), quantity: { divide: '1000', round: 'up' } }, '7400', '6.5'],
    // flexprice/flexprice internal/ee/service/price_test.go
    ['fx-slab-15', fxSlab, '15', '700'],
    ['fx-slab-25', fxSlab, '25', '1050'],
    ['fx-slab3-7', fxSlab3, '7', '4'],
    ['fx-slab3-10', fxSlab3, '10', '10'],
    ['fx-slab3-11', fxSlab3, '11', '13'],
    ['fx-slab3-15', fxSlab3, '15', '25'],
    ['fx-slabflat-3', fxSlabflat, '3', '1'],
    ['fx-slabflat-12', fxSlabflat, '12', '12'],
    ['fx-slabedge-0', fxSlabedge, '0', '0'],
    ['fx-slabedge-1', fxSlabedge, '1', '10'],
    ['fx-slabedge-2', fxSlabedge, '2', '30'],
    ['fx-slabedge-3', fxSlabedge, '3', '60'],
    // killbill/killbill-docs userguide/tutorials/catalog-examples.adoc
    ['kbd-all-400', { ...kbdAll, base: '30' }, '400', '630'],
    ['kbd-all-1200', { ...kbdAll, base: '30' }, '1200', '1930'],
    // meteroid-oss/meteroid modules/meteroid/crates/meteroid-store/src/services/invoice_lines/fees.rs
    ['me-tier-150', graduated([['100', '1'], ['200', '0.5'], [null, '0.25']]), '150', '125'],
  ])('costs what its source says: %s', (_, rate, quantity, total) => expect(costOf(rate, quantity)).toBe(total));
});
