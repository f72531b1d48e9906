import {
  Activity,
  BookOpen,
  Boxes,
  ChartNoAxesColumn,
  Building2,
  CircleGauge,
  FileClock,
  FolderKanban,
  Gauge,
  KeyRound,
  Layers,
  List,
  MessageSquare,
  Scale,
  Server,
  Settings,
  ShieldCheck,
  Split,
  TriangleAlert,
  Users,
  Wallet,
  Webhook,
  type LucideIcon,
} from 'lucide-react';

/** A page in the menu: where, and the permission without which it is neither shown nor served. */
export interface Place {
  readonly name: PlaceName;
  readonly path: string;
  readonly icon: LucideIcon;
  readonly permission: string;
}

export type PlaceName =
  | 'overview' | 'usage' | 'requests' | 'playground' | 'keys' | 'projects' | 'limits' | 'balance' | 'team' | 'tokens' | 'webhooks' | 'audit' | 'settings'
  | 'operations' | 'organizations' | 'approvals' | 'lanes' | 'gateways' | 'queues' | 'quarantine' | 'reconcile' | 'ledger' | 'staffAudit';

export interface PlaceGroup {
  readonly name: 'observe' | 'build' | 'manage' | 'customers' | 'operate' | 'account';
  readonly places: readonly Place[];
}

export const organizationPlaces: readonly PlaceGroup[] = [
  {
    name: 'observe',
    places: [
      { name: 'overview', path: '', icon: CircleGauge, permission: 'balances.read' },
      { name: 'usage', path: 'usage', icon: ChartNoAxesColumn, permission: 'usage.read' },
      { name: 'requests', path: 'requests', icon: List, permission: 'usage.read' },
    ],
  },
  {
    name: 'build',
    places: [
      { name: 'playground', path: 'playground', icon: MessageSquare, permission: 'playground.use' },
      { name: 'keys', path: 'api-keys', icon: KeyRound, permission: 'keys.read' },
      { name: 'projects', path: 'projects', icon: FolderKanban, permission: 'organization.read' },
      { name: 'webhooks', path: 'webhooks', icon: Webhook, permission: 'webhooks.read' },
      { name: 'tokens', path: 'service-tokens', icon: Server, permission: 'tokens.read' },
    ],
  },
  {
    name: 'manage',
    places: [
      { name: 'limits', path: 'limits', icon: Gauge, permission: 'limits.read' },
      { name: 'balance', path: 'balance', icon: Wallet, permission: 'balances.read' },
      { name: 'team', path: 'team', icon: Users, permission: 'members.read' },
      { name: 'audit', path: 'audit-log', icon: FileClock, permission: 'audit.read' },
      { name: 'settings', path: 'settings', icon: Settings, permission: 'organization.read' },
    ],
  },
];

export const staffPlaces: readonly PlaceGroup[] = [
  {
    name: 'customers',
    places: [
      { name: 'organizations', path: 'organizations', icon: Building2, permission: 'staff.organizations.read' },
      { name: 'approvals', path: 'approvals', icon: ShieldCheck, permission: 'staff.approve' },
    ],
  },
  {
    name: 'operate',
    places: [
      { name: 'operations', path: '', icon: Activity, permission: 'staff.operations.read' },
      { name: 'lanes', path: 'lanes', icon: Split, permission: 'staff.operations.read' },
      { name: 'gateways', path: 'gateways', icon: Boxes, permission: 'staff.operations.read' },
      { name: 'queues', path: 'queues', icon: Layers, permission: 'staff.operations.read' },
      { name: 'quarantine', path: 'quarantine', icon: TriangleAlert, permission: 'staff.operations.read' },
    ],
  },
  {
    name: 'account',
    places: [
      { name: 'reconcile', path: 'reconciliation', icon: Scale, permission: 'staff.operations.read' },
      { name: 'ledger', path: 'ledger', icon: BookOpen, permission: 'staff.money.read' },
      { name: 'staffAudit', path: 'audit-log', icon: FileClock, permission: 'staff.audit.read' },
    ],
  },
];

/** Groups with the places that these permissions open; a group without one is gone. */
export const openPlaces = (groups: readonly PlaceGroup[], permissions: ReadonlySet<string>): readonly PlaceGroup[] =>
  groups.map(({ name, places }) => ({ name, places: places.filter(({ permission }) => permissions.has(permission)) })).filter(({ places }) => places.length > 0);
