import { Badge, Button, createTheme, DEFAULT_THEME, Modal, Paper, Table, Tooltip, type MantineColorsTuple } from '@mantine/core';

const iris: MantineColorsTuple = ['#f0f1fe', '#dfe1fb', '#bcc0f5', '#979df0', '#787fea', '#6169e2', '#4c50d3', '#4044b8', '#363a99', '#2b2e78'];
const slate: MantineColorsTuple = ['#f8f9fa', '#f1f3f5', '#e6e8ec', '#dde0e5', '#d0d4da', '#9aa1ac', '#656c79', '#4a515e', '#2b303a', '#171a20'];
const night: MantineColorsTuple = ['#e8eaed', '#c5c9d0', '#a2a8b3', '#8a919d', '#3d434e', '#2c313a', '#22262e', '#16181d', '#101216', '#0a0b0e'];

/** Mantine's colours with a darker last shade, so that a badge's words stand out from its ground. */
const withDarkWords = (tuple: MantineColorsTuple, darkest: string): MantineColorsTuple => [...tuple.slice(0, 9), darkest] as unknown as MantineColorsTuple;
const { teal, orange, yellow, red } = DEFAULT_THEME.colors;

export const theme = createTheme({
  colors: { iris, gray: slate, dark: night, teal: withDarkWords(teal, '#06694b'), orange: withDarkWords(orange, '#9c3206'), yellow: withDarkWords(yellow, '#7a4100'), red: withDarkWords(red, '#b02121') },
  primaryColor: 'iris',
  primaryShade: { light: 6, dark: 5 },
  autoContrast: true,
  defaultRadius: 'md',
  cursorType: 'pointer',
  fontFamily: "'Inter Variable', -apple-system, 'Segoe UI', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  headings: { fontWeight: '600', sizes: { h1: { fontSize: '1.375rem' }, h2: { fontSize: '1rem' }, h3: { fontSize: '0.875rem' } } },
  radius: { xs: '4px', sm: '6px', md: '8px', lg: '12px', xl: '16px' },
  components: {
    Badge: Badge.extend({ defaultProps: { variant: 'light', radius: 'sm', tt: 'none', fw: 500, miw: 'max-content' } }),
    Button: Button.extend({ defaultProps: { size: 'sm' } }),
    Modal: Modal.extend({ defaultProps: { centered: true, radius: 'lg', overlayProps: { backgroundOpacity: 0.45, blur: 2 }, transitionProps: { duration: 120 } } }),
    Paper: Paper.extend({ defaultProps: { radius: 'lg', withBorder: true } }),
    Table: Table.extend({ defaultProps: { verticalSpacing: 9, horizontalSpacing: 12 } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 250, withArrow: true } }),
  },
});

/** Colours of groups in charts, in the order in which groups are ranked; the last is for all others together. */
export const seriesColors = ['iris.5', 'teal.5', 'orange.5', 'grape.5', 'cyan.5', 'pink.4', 'lime.6', 'yellow.5'] as const;
export const otherColor = 'gray.5';
