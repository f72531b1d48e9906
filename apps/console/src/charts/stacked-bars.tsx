import { useElementSize } from '@mantine/hooks';
import { scaleBand, scaleLinear } from 'd3-scale';
import { useId, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { BarTip } from './bar-tip.tsx';
import type { Chart } from './series.ts';
import classes from './stacked-bars.module.css';

interface StackedBarsProps {
  readonly title: string;
  readonly chart: Chart;
  readonly height: number;
  /** Of a bucket, in the axis and in full. */
  readonly labelOf: (at: string) => string;
  /** Of a position on the axis, in short. */
  readonly tickOf: (value: number) => string;
  /** Of an exact value, in full. */
  readonly valueOf: (value: string) => string;
}

const MARGIN = { top: 10, right: 4, bottom: 24, left: 58 };
const TICKS = 4;
const LABEL_WIDTH = 84;
const CORNER = 2;

/**
 * Stacked bars, drawn here: the library's charts would take two fifths of all script that a first page may load. A pointer or the arrow keys choose a bar,
 * whose exact values are shown and spoken.
 */
export function StackedBars({ title, chart, height, labelOf, tickOf, valueOf }: StackedBarsProps) {
  const { t } = useTranslation();
  const { ref, width } = useElementSize();
  const [active, setActive] = useState<number | null>(null);
  const hint = useId();
  const { rows, series } = chart;
  const totals = rows.map((row) => series.reduce((sum, { name }) => sum + Number(row[name]), 0));
  const x = scaleBand<number>()
    .domain(rows.map((_, index) => index))
    .range([MARGIN.left, Math.max(width - MARGIN.right, MARGIN.left + 1)])
    .paddingInner(rows.length > 80 ? 0.1 : 0.28);
  const y = scaleLinear()
    .domain([0, Math.max(...totals, 0) || 1])
    .nice(TICKS)
    .range([height - MARGIN.bottom, MARGIN.top]);
  const every = Math.max(1, Math.ceil((rows.length * LABEL_WIDTH) / Math.max(width - MARGIN.left, 1)));

  const choose = (event: PointerEvent<SVGSVGElement>): void => {
    const position = event.clientX - event.currentTarget.getBoundingClientRect().left - MARGIN.left;
    const index = Math.floor(position / x.step());
    setActive(index >= 0 && index < rows.length ? index : null);
  };
  const move = (event: KeyboardEvent): void => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === 'Escape') setActive(null);
    if (step === undefined) return;
    event.preventDefault();
    setActive((current) => Math.min(rows.length - 1, Math.max(0, (current ?? (step > 0 ? -1 : rows.length)) + step)));
  };

  const shown = active === null ? undefined : rows[active];
  const center = active === null ? 0 : (x(active) ?? 0) + x.bandwidth() / 2;
  return (
    <div ref={ref} className={classes['frame']} style={{ minHeight: height }} tabIndex={0} role="application" aria-label={title} aria-describedby={hint} onKeyDown={move} onBlur={() => setActive(null)}>
      <span id={hint} className="visually-hidden">
        {t('charts.keys')}
      </span>
      {width > 0 && (
        <svg width={width} height={height} aria-hidden="true" onPointerMove={choose} onPointerLeave={() => setActive(null)}>
          {y.ticks(TICKS).map((tick) => (
            <g key={tick}>
              <line x1={MARGIN.left} x2={width} y1={y(tick)} y2={y(tick)} className={classes['grid']} />
              <text x={MARGIN.left - 10} y={y(tick)} dy="0.32em" textAnchor="end" className={classes['label']}>
                {tickOf(tick)}
              </text>
            </g>
          ))}
          {active !== null && <rect x={center - x.step() / 2} width={x.step()} y={MARGIN.top} height={height - MARGIN.top - MARGIN.bottom} className={classes['cursor']} />}
          {rows.map((row, index) => (
            <Bar key={row.at} row={row} series={series} x={x(index) ?? 0} width={x.bandwidth()} y={y} />
          ))}
          {rows.map((row, index) =>
            index % every === 0 ? (
              <text key={row.at} x={(x(index) ?? 0) + x.bandwidth() / 2} y={height - 6} textAnchor={index === 0 && x.bandwidth() < 50 ? 'start' : 'middle'} className={classes['label']}>
                {labelOf(row.at)}
              </text>
            ) : null,
          )}
        </svg>
      )}
      <div aria-live="polite">{shown && <BarTip row={shown} chart={chart} label={labelOf(shown.at)} valueOf={valueOf} center={center} width={width} />}</div>
    </div>
  );
}

interface BarProps {
  readonly row: Chart['rows'][number];
  readonly series: Chart['series'];
  readonly x: number;
  readonly width: number;
  readonly y: (value: number) => number;
}

function Bar({ row, series, x, width, y }: BarProps) {
  let sum = 0;
  const parts = series.flatMap(({ name, color }) => {
    const value = Number(row[name]);
    if (value <= 0) return [];
    const base = y(sum);
    sum += value;
    return [{ name, color, top: y(sum), height: base - y(sum) }];
  });
  return parts.map(({ name, color, top, height }, index) => {
    const isTop = index === parts.length - 1;
    const corner = isTop ? Math.min(CORNER, width / 2, height) : 0;
    const path = `M${x},${top + height}V${top + corner}q0,${-corner} ${corner},${-corner}h${width - 2 * corner}q${corner},0 ${corner},${corner}V${top + height}Z`;
    return <path key={name} d={path} fill={`var(--mantine-color-${color.replace('.', '-')})`} />;
  });
}
