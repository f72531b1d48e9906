import { describe, expect, test } from '@jest/globals';
import { costOf, tiered, type StepRow } from './worked-example.js';

const volume = (rows: readonly StepRow[]): object => tiered('volume', rows);

const stripeVolume = volume([['5', '7'], ['10', '6.5'], [null, '6']]);
const lagoVol = volume([['100', '2', '10'], ['200', '1'], [null, '0.5', '50']]);
const omVol = volume([['5', '0', '100'], ['10', '0', '150'], ['15', '10'], [null, '5']]);
const fxVol = volume([['10', '50'], ['20', '40'], [null, '30']]);

describe('a price by volume', () => {
  test.each<[string, object, string, string]>([
    // docs.stripe.com/subscriptions/pricing-models/tiered-pricing
    ['stripe-volume-1', stripeVolume, '1', '7'],
    ['stripe-volume-6', stripeVolume, '6', '39'],
    ['stripe-volume-20', stripeVolume, '20', '120'],
    ['stripe-volume-25', stripeVolume, '25', '150'],
    // getlago/lago-docs docs/guide/05_plans/charges/price-models/volume.md
    ['lago-docs-volume', volume([['10000', '0.0010', '10'], ['50000', '0.0008', '10'], ['100000', '0.0006', '10'], [null, '0.0004', '10']]), '65000', '49'],
    // getlago/lago-api spec/services/charge_models/volume_service_spec.rb
    ['lago-vol-1', { ...lagoVol, flat_at_zero: true }, '1', '12'],
    ['lago-vol-100.5', { ...lagoVol, flat_at_zero: true }, '100.5', '100.5'],
    ['lago-vol-101', { ...lagoVol, flat_at_zero: true }, '101', '101'],
    // openmeterio/openmeter openmeter/billing/rating/service/rate/tieredvolume_test.go
    ['om-vol-0', { ...omVol, flat_at_zero: true }, '0', '100'],
    ['om-vol-3', { ...omVol, flat_at_zero: true }, '3', '100'],
    ['om-vol-5', { ...omVol, flat_at_zero: true }, '5', '100'],
    ['om-vol-16', { ...omVol, flat_at_zero: true }, '16', '80'],
    ['om-vol-100', { ...omVol, flat_at_zero: true }, '100', '500'],
    ['om-vol-7-max125', { ...omVol, maximum: '125' }, '7', '125'],
    ['om-vol-0-min150', { ...omVol, flat_at_zero: true, minimum: '150' }, '0', '150'],
    // flexprice/flexprice internal/ee/service/price_test.go
    ['fx-vol-5', fxVol, '5', '250'],
    ['fx-vol-15', fxVol, '15', '600'],
    ['fx-vol-25', fxVol, '25', '750'],
    // killbill/killbill invoice/src/test/java/org/killbill/billing/invoice/usage/TestContiguousIntervalConsumableInArrear.java
    ['kb-toptier-111', volume([['10', '1.5'], ['110', '1.0'], [null, '0.5']]), '111', '55.5'],
    // meteroid-oss/meteroid modules/meteroid/crates/meteroid-store/src/services/invoice_lines/fees.rs
    ['me-vol-150', volume([['100', '1'], ['200', '0.5'], [null, '0.25']]), '150', '75'],
  ])('costs what its source says: %s', (_, rate, quantity, total) => expect(costOf(rate, quantity)).toBe(total));
});
