import { Button, Center, Skeleton, Table, Text } from '@mantine/core';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useRef, type KeyboardEvent, type MouseEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import classes from './data-table.module.css';

export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  readonly render: (row: Row) => ReactNode;
  readonly align?: 'right';
  /** Narrower screens than this leave the column out; its facts stand in the row's own page. */
  readonly from?: 'xs' | 'sm' | 'md' | 'lg';
  readonly width?: number;
}

interface DataTableProps<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[] | undefined;
  readonly keyOf: (row: Row) => string;
  readonly linkOf?: (row: Row) => string;
  readonly empty: ReactNode;
  readonly more?: { readonly load: () => void; readonly loading: boolean } | undefined;
}

const ROW_HEIGHT = 41;
/** Fewer rows than this are all in the document, where the browser's own search finds them. */
const VIRTUAL_FROM = 80;
const SKELETON_ROWS = 6;

/** A table of any length: rows out of sight are not in the document, and the next page is asked for by a button at its end. */
export function DataTable<Row>({ caption, columns, rows, keyOf, linkOf, empty, more }: DataTableProps<Row>) {
  const { t } = useTranslation();
  if (rows?.length === 0) return empty;
  return (
    <>
      <Table.ScrollContainer minWidth={0} type="native">
        <Table highlightOnHover={linkOf !== undefined} aria-rowcount={rows ? rows.length + 1 : undefined} className={classes['table']}>
          <Table.Caption className="visually-hidden">{caption}</Table.Caption>
          <Table.Thead>
            <Table.Tr>
              {columns.map(({ key, title, align, from, width }) => (
                <Table.Th key={key} ta={align} visibleFrom={from} w={width}>
                  {title}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          {rows ? <Rows rows={rows} columns={columns} keyOf={keyOf} linkOf={linkOf} /> : <SkeletonRows columns={columns} />}
        </Table>
      </Table.ScrollContainer>
      {more && (
        <Center p="sm" className={classes['more']}>
          <Button variant="subtle" size="xs" loading={more.loading} onClick={more.load}>
            {t('common.more')}
          </Button>
        </Center>
      )}
    </>
  );
}

type RowsProps<Row> = Pick<DataTableProps<Row>, 'columns' | 'keyOf' | 'linkOf'> & { readonly rows: readonly Row[] };

function Rows<Row>({ rows, columns, keyOf, linkOf }: RowsProps<Row>) {
  const body = useRef<HTMLTableSectionElement>(null);
  const isVirtual = rows.length >= VIRTUAL_FROM;
  const virtualizer = useWindowVirtualizer({ count: rows.length, estimateSize: () => ROW_HEIGHT, overscan: 20, enabled: isVirtual, scrollMargin: body.current?.offsetTop ?? 0 });
  if (!isVirtual) return <Table.Tbody>{rows.map((row, index) => <DataRow key={keyOf(row)} row={row} index={index} columns={columns} linkOf={linkOf} />)}</Table.Tbody>;
  const items = virtualizer.getVirtualItems();
  const before = (items[0]?.start ?? 0) - virtualizer.options.scrollMargin;
  const after = virtualizer.getTotalSize() - ((items.at(-1)?.end ?? 0) - virtualizer.options.scrollMargin);
  return (
    <Table.Tbody ref={body}>
      {before > 0 && <Spacer height={before} />}
      {items.map(({ index }) => (
        <DataRow key={keyOf(rows[index]!)} row={rows[index]!} index={index} columns={columns} linkOf={linkOf} />
      ))}
      {after > 0 && <Spacer height={after} />}
    </Table.Tbody>
  );
}

const Spacer = ({ height }: { readonly height: number }) => (
  <tr aria-hidden="true">
    <td style={{ height, padding: 0 }} />
  </tr>
);

interface DataRowProps<Row> {
  readonly row: Row;
  readonly index: number;
  readonly columns: readonly Column<Row>[];
  readonly linkOf: ((row: Row) => string) | undefined;
}

const isInteractive = (target: EventTarget): boolean => target instanceof Element && target.closest('a, button, input, label') !== null;

function DataRow<Row>({ row, index, columns, linkOf }: DataRowProps<Row>) {
  const navigate = useNavigate();
  const open = (event: MouseEvent | KeyboardEvent): void => {
    if (linkOf && !isInteractive(event.target) && getSelection()?.toString() === '') void navigate(linkOf(row));
  };
  return (
    <Table.Tr aria-rowindex={index + 2} onClick={linkOf && open} className={linkOf && classes['link']}>
      {columns.map(({ key, render, align, from }) => (
        <Table.Td key={key} ta={align} visibleFrom={from}>
          {render(row)}
        </Table.Td>
      ))}
    </Table.Tr>
  );
}

function SkeletonRows<Row>({ columns }: { readonly columns: readonly Column<Row>[] }) {
  const { t } = useTranslation();
  return (
    <Table.Tbody aria-busy="true">
      {Array.from({ length: SKELETON_ROWS }, (_, index) => (
        <Table.Tr key={index}>
          {columns.map(({ key, from }, position) => (
            <Table.Td key={key} visibleFrom={from}>
              {index === 0 && position === 0 && <Text className="visually-hidden">{t('common.loading')}</Text>}
              <Skeleton height={12} my={4} width={`${45 + ((index * 17 + position * 29) % 45)}%`} />
            </Table.Td>
          ))}
        </Table.Tr>
      ))}
    </Table.Tbody>
  );
}
