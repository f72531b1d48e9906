export { apiKeyLength, apiKeyPrefix, mintApiKey, parseApiKey, type MintedApiKey, type ParsedApiKey, type RandomBytes } from './api-key.js';
export { createApiKey, listApiKeys, registerApiKey, revokeApiKey, rollApiKey, type IssuedApiKey } from './api-key.service.js';
export type { ApiKey, ApiKeyPlace, NewApiKey, NewOrganization, NewProject, Organization, Page, Project, RollApiKey } from './identity.js';
export {
  createOrganization,
  createProject,
  findOrganizationBy,
  findProjectBy,
  getOrganization,
  getProject,
  listOrganizations,
  listProjects,
} from './organization.service.js';
