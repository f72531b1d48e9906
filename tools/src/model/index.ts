export { ensureGpuPackage, type Gpu } from './gpu-package.js';
export { ModelError } from './model-error.js';
export type { FetchProgress, ReportProgress } from './progress.js';
export { resolveModel, type ResolvedModel, type ResolveModelOptions } from './resolve.js';
