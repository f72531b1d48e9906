export { apiKeyLength, apiKeyPrefix, fingerprintApiKey, mintApiKey, parseApiKey, type MintedApiKey, type ParsedApiKey, type RandomBytes } from './api-key.js';
export { createSessionKey, type NewSessionKey } from './session-key.flow.js';
export { narrowApiKey, type NarrowerApiKey } from './api-key-change.flow.js';
export { createApiKey, findApiKey, listApiKeys, registerApiKey, revokeApiKey, rollApiKey, setApiKey, type IssuedApiKey } from './api-key.flow.js';
export { nameSchema } from './identity.js';
export type { ApiKey, ApiKeyPlace, ApiKeySettings, ApiKeySettingsChange, NewApiKey, NewOrganization, NewProject, Organization, OrganizationTimeZone, Page, Project, RollApiKey } from './identity.js';
export { archiveProject, updateOrganization, type OrganizationChange } from './organization-change.flow.js';
export {
  createOrganization,
  createProject,
  findOrganizationBy,
  findProjectBy,
  getOrganization,
  getProject,
  listOrganizations,
  listProjects,
  setTimeZone,
} from './organization.flow.js';
