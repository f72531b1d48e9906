import { ApiKeyResolver, OrganizationKeysResolver, ProjectResolver } from './keys/key.resolver.js';
import { LedgerAccountResolver, LedgerTransactionResolver, OrganizationLedgerResolver } from './ledger/ledger.resolver.js';
import { OrganizationLimitsResolver } from './limits/limit.resolver.js';
import { ModelResolver, OrganizationModelsResolver } from './models/model.resolver.js';
import { GrantResolver, OrganizationMoneyResolver } from './money/grant.resolver.js';
import { NodesResolver } from './nodes.resolver.js';
import { OperationsResolver, QuarantinedUsageResolver } from './operations/operations.resolver.js';
import { OrganizationResolver } from './organizations/organization.resolver.js';
import { OrganizationPeopleResolver } from './people/people.resolver.js';
import { AllocationResolver, OrganizationRequestsResolver, RequestResolver } from './usage/request.resolver.js';
import { OrganizationUsageResolver } from './usage/series.resolver.js';
import { ViewerMembershipResolver, ViewerResolver } from './viewers/viewer.resolver.js';
import { OrganizationWebhooksResolver, WebhookDeliveryResolver } from './webhooks/webhook.resolver.js';

/** Every resolver: the schema is made of these. */
export const resolvers = [
  ViewerResolver, ViewerMembershipResolver, NodesResolver, OrganizationResolver, OrganizationMoneyResolver, GrantResolver, OrganizationKeysResolver, ProjectResolver, ApiKeyResolver,
  OrganizationLimitsResolver, OrganizationPeopleResolver, OrganizationModelsResolver, ModelResolver, OrganizationUsageResolver, OrganizationRequestsResolver, RequestResolver, AllocationResolver,
  OrganizationLedgerResolver, LedgerTransactionResolver, LedgerAccountResolver, OrganizationWebhooksResolver, WebhookDeliveryResolver, OperationsResolver, QuarantinedUsageResolver,
];
