import { describe, expect, test } from '@jest/globals';
import { costOf } from './worked-example.js';

const packages = (size: string, amount: string, free = '0'): object => ({ price: { package: size, amount, free } });

const omPkg = packages('10', '15');
const fxPkg = packages('100', '1');

describe('a price by packages', () => {
  test.each<[string, object, string, string]>([
    // getlago/lago-docs docs/guide/05_plans/charges/price-models/package.md
    ['lago-docs-package', packages('100', '5', '100'), '201', '10'],
    // getlago/lago-api spec/services/charge_models/package_service_spec.rb
    ['lago-pkg-121', packages('10', '100'), '121', '1300'],
    ['lago-pkg-121-free10', packages('10', '100', '10'), '121', '1200'],
    ['lago-pkg-121-free200', packages('10', '100', '200'), '121', '0'],
    // openmeterio/openmeter openmeter/billing/rating/service/rate/package_test.go
    ['om-pkg-10', omPkg, '10', '15'],
    ['om-pkg-0-min100', { ...omPkg, minimum: '100' }, '0', '100'],
    // flexprice/flexprice internal/ee/service/price_test.go
    ['fx-pkg-150', fxPkg, '150', '2'],
    ['fx-pkg-0', fxPkg, '0', '0'],
    ['fx-pkg-101', fxPkg, '101', '2'],
    ['fx-pkg-25', packages('10', '50'), '25', '150'],
  ])('costs what its source says: %s', (_, rate, quantity, total) => expect(costOf(rate, quantity)).toBe(total));
});
