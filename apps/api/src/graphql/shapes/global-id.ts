/**
 * Global ids: base64url of `Type:organization:own id`, opaque to callers. An id tells which type it is of and whose it is, so that authorization
 * needs no query; whether the object exists is known only after it.
 */
const nodeTypes = [
  'Organization', 'Person', 'Grant', 'Project', 'ApiKey', 'Limit', 'Budget', 'Invitation', 'ServiceToken', 'WebhookEndpoint', 'WebhookDelivery', 'Request',
  'LedgerTransaction', 'Approval', 'AuditEntry', 'Job', 'QuarantinedUsage', 'ReconcileRun', 'Lane', 'GatewaySession',
] as const;
export type NodeType = (typeof nodeTypes)[number];

export interface GlobalId {
  readonly type: NodeType;
  /** Empty for what belongs to no organization. */
  readonly organizationId: string;
  readonly id: string;
}

/** Longer than any that we make. */
const charactersMax = 400;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const isUuid = (text: string): boolean => uuid.test(text);

export const globalId = (type: NodeType, organizationId: string, id: string): string => Buffer.from(`${type}:${organizationId}:${id}`).toString('base64url');

/** Null for everything that `globalId` does not make. */
export const readGlobalId = (text: string): GlobalId | null => {
  if (text.length > charactersMax || !/^[\w-]+$/.test(text)) return null;
  const plain = Buffer.from(text, 'base64url').toString('utf8');
  const [type, organizationId, ...rest] = plain.split(':');
  const id = rest.join(':');
  if (organizationId === undefined || !nodeTypes.some((known) => known === type)) return null;
  if (organizationId !== '' && !isUuid(organizationId)) return null;
  if (id === '' || globalId(type as NodeType, organizationId, id) !== text) return null;
  return { type: type as NodeType, organizationId, id };
};

/** The id of one type whose own part is a UUID, as nearly all are; null for anything else. */
export const readIdOf = (type: NodeType, text: string): GlobalId | null => {
  const found = readGlobalId(text);
  return found?.type === type && isUuid(found.id) ? found : null;
};
