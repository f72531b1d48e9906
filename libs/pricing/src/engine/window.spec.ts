import { describe, expect, test } from '@jest/globals';
import { compileWindow } from './window.js';

const isIn = (window: object, at: string, holidays: Readonly<Record<string, readonly string[]>> = {}): boolean => compileWindow(window, { zone: 'Asia/Shanghai', holidays })(Date.parse(at));

describe('a window', () => {
  // DeepSeek's off-peak hours, 00:30 to 08:30 in Beijing
  const offPeak = { from: '00:30', to: '08:30' };
  const night = { days: ['fri'], from: '22:00', to: '08:00' };
  const cn = { cn: ['2026-10-01', '2026-10-02'] };

  test.each([
    ['begins at its first instant', offPeak, '2026-03-10T00:30:00+08:00', true],
    ['has not begun a millisecond before', offPeak, '2026-03-10T00:29:59.999+08:00', false],
    ['has its last millisecond', offPeak, '2026-03-10T08:29:59.999+08:00', true],
    ['has ended at its end', offPeak, '2026-03-10T08:30:00+08:00', false],
    ['of a zone of its own is on that clock', { ...offPeak, zone: 'UTC' }, '2026-03-10T08:30:00+08:00', true],
    ['passes midnight', night, '2026-03-14T03:00:00+08:00', true],
    ['that passes midnight belongs to the day on which it begins', night, '2026-03-13T03:00:00+08:00', false],
    ['that passes midnight begins on its own day', night, '2026-03-13T22:00:00+08:00', true],
    ['that passes midnight ends on the next day', night, '2026-03-14T08:00:00+08:00', false],
    ['without times is the whole day', { days: ['sat', 'sun'] }, '2026-03-14T23:59:59.999+08:00', true],
    ['of weekdays leaves out others', { days: ['sat', 'sun'] }, '2026-03-13T23:59:59.999+08:00', false],
    ['may exclude holidays', { holidays: { exclude: 'cn' } }, '2026-10-01T12:00:00+08:00', false],
    ['that excludes holidays has other days', { holidays: { exclude: 'cn' } }, '2026-10-03T00:00:00+08:00', true],
    ['may be of holidays only', { holidays: { only: 'cn' } }, '2026-10-02T12:00:00+08:00', true],
    ['of holidays only has no other days', { holidays: { only: 'cn' } }, '2026-10-03T00:00:00+08:00', false],
    ['may include holidays whatever the weekday', { days: ['sat'], holidays: { include: 'cn' } }, '2026-10-01T12:00:00+08:00', true],
    ['of a night before a holiday is of the day before', { from: '22:00', to: '08:00', holidays: { only: 'cn' } }, '2026-10-01T03:00:00+08:00', false],
    ['is right before 1970', { days: ['wed'] }, '1969-12-31T12:00:00+08:00', true],
  ])('%s', (_, window, at, expected) => expect(isIn(window, at, cn)).toBe(expected));
});

describe('at a clock change', () => {
  const berlin = { zone: 'Europe/Berlin' };

  test.each([
    ['the repeated hour is in a window twice: in summer time', { ...berlin, from: '02:00', to: '03:00' }, '2026-10-25T00:30:00Z', true],
    ['the repeated hour is in a window twice: in winter time', { ...berlin, from: '02:00', to: '03:00' }, '2026-10-25T01:30:00Z', true],
    ['the window ends with the second', { ...berlin, from: '02:00', to: '03:00' }, '2026-10-25T02:00:00Z', false],
    ['the skipped hour is never in a window: before', { ...berlin, from: '02:00', to: '03:00' }, '2026-03-29T00:59:59.999Z', false],
    ['the skipped hour is never in a window: after', { ...berlin, from: '02:00', to: '03:00' }, '2026-03-29T01:00:00Z', false],
    ['a change by half an hour is seen', { zone: 'Australia/Lord_Howe', from: '01:30', to: '02:00' }, '2026-04-04T15:15:00Z', true],
    ['a change by half an hour ends', { zone: 'Australia/Lord_Howe', from: '01:30', to: '02:00' }, '2026-04-04T15:30:00Z', false],
    ['a zone of 45 minutes is exact', { zone: 'Asia/Kathmandu', from: '05:45', to: '05:46' }, '2026-03-10T00:00:00Z', true],
  ])('%s', (_, window, at, expected) => expect(isIn(window, at)).toBe(expected));
});
