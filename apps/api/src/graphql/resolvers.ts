import { ApprovalResolver, OrganizationApprovalsResolver } from './approvals/approval.resolver.js';
import { AuditEntryResolver, OrganizationAuditResolver } from './audit/audit.resolver.js';
import { KeyChangesResolver } from './keys/key-changes.resolver.js';
import { ApiKeyResolver, OrganizationKeysResolver, ProjectResolver } from './keys/key.resolver.js';
import { LedgerAccountResolver, LedgerTransactionResolver, OrganizationLedgerResolver } from './ledger/ledger.resolver.js';
import { LimitChangesResolver } from './limits/limit-changes.resolver.js';
import { OrganizationLimitsResolver } from './limits/limit.resolver.js';
import { ModelResolver, OrganizationModelsResolver } from './models/model.resolver.js';
import { GrantChangesResolver } from './money/grant-changes.resolver.js';
import { GrantResolver, OrganizationMoneyResolver } from './money/grant.resolver.js';
import { NodesResolver } from './nodes.resolver.js';
import { OperationChangesResolver } from './operations/operation-changes.resolver.js';
import { OperationsResolver, QuarantinedUsageResolver } from './operations/operations.resolver.js';
import { OrganizationChangesResolver } from './organizations/organization-changes.resolver.js';
import { OrganizationResolver } from './organizations/organization.resolver.js';
import { ImpersonationResolver } from './impersonation/impersonation.resolver.js';
import { PeopleChangesResolver } from './people/people-changes.resolver.js';
import { OrganizationPeopleResolver } from './people/people.resolver.js';
import { PlaygroundResolver } from './playground/playground.resolver.js';
import { LiveResolver } from './live/live.resolver.js';
import { AllocationResolver, OrganizationRequestsResolver, RequestResolver } from './usage/request.resolver.js';
import { OrganizationUsageResolver } from './usage/series.resolver.js';
import { ViewerMembershipResolver, ViewerResolver } from './viewers/viewer.resolver.js';
import { WebhookChangesResolver } from './webhooks/webhook-changes.resolver.js';
import { OrganizationWebhooksResolver, WebhookDeliveryResolver } from './webhooks/webhook.resolver.js';

/** Every resolver: the schema is made of these. */
export const resolvers = [
  ViewerResolver, ViewerMembershipResolver, NodesResolver, OrganizationResolver, OrganizationMoneyResolver, GrantResolver, OrganizationKeysResolver, ProjectResolver, ApiKeyResolver,
  OrganizationLimitsResolver, OrganizationPeopleResolver, OrganizationModelsResolver, ModelResolver, OrganizationUsageResolver, OrganizationRequestsResolver, RequestResolver, AllocationResolver,
  OrganizationLedgerResolver, LedgerTransactionResolver, LedgerAccountResolver, OrganizationWebhooksResolver, WebhookDeliveryResolver, OperationsResolver, QuarantinedUsageResolver,
  OrganizationChangesResolver, KeyChangesResolver, LimitChangesResolver, WebhookChangesResolver, OperationChangesResolver, PlaygroundResolver, LiveResolver,
  PeopleChangesResolver, ImpersonationResolver, GrantChangesResolver, ApprovalResolver, OrganizationApprovalsResolver, AuditEntryResolver, OrganizationAuditResolver,
];
