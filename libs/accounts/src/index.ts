export {
  approvalDays, approvalKinds, type ActorRef, type Approval, type ApprovalDecision, type ApprovalKind, type ApprovalSearch, type ApprovalStatus, type ApprovalThreshold, type MoneyActs, type MoneyResults,
  type Outcome,
} from './approval.js';
export { AccountWatchService } from './account-watch.service.js';
export { cancelApproval, decideApproval, getApproval, listApprovals, mayDecide, requestOrDo } from './approval.flow.js';
export { burnPerDay, runsOutAt, type SpendableGrant } from './burn.js';
export { listApprovalThresholds, setApprovalThreshold } from './threshold.flow.js';
export type { NewTransferRule, TransferRule, TransferRulePlace } from './transfer-rule.js';
export { listTransferRules, removeTransferRule, setTransferRule } from './transfer-rule.flow.js';
