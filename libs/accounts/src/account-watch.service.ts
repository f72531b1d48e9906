import { Injectable } from '@nestjs/common';
import { formatMoney } from '@kilotoken/money';
import { PollLoop, sqlStateOf } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { checkBudgets, findDueRules, runRule, type LimitPlace, type RulePlace } from './account-watch.store.js';

const perRoundMax = 500;

/** Runs due transfer rules, and tells of budgets that reached a percent, round after round. Several processes may: rows in the database let one of them act. */
@Injectable()
export class AccountWatchService {
  private readonly loops: readonly PollLoop[];
  private afterRule: RulePlace | null = null;
  private afterBudget: LimitPlace | null = null;

  constructor(
    private readonly pool: Pool,
    private readonly logger: Logger,
    pauseMs: number,
  ) {
    const warn = (event: string) => (error: unknown): void => logger.warn({ event, sqlState: sqlStateOf(error), error });
    this.loops = [
      new PollLoop({ once: async () => ((await this.runRulesOnce()) ? 0 : pauseMs), onError: warn('transfer_rules.failed') }),
      new PollLoop({ once: async () => ((await this.checkBudgetsOnce()) ? 0 : pauseMs), onError: warn('budgets.failed') }),
    ];
  }

  start(): void {
    for (const loop of this.loops) loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }

  /** Runs those of the next rules that are due; answers whether the round has more. A rule that fails keeps no other from running. */
  async runRulesOnce(): Promise<boolean> {
    const { checked, due, last } = await findDueRules(this.pool, this.afterRule, perRoundMax);
    const isMore = checked === perRoundMax;
    this.afterRule = isMore ? last : null;
    for (const rule of due) {
      try {
        const sum = await runRule(this.pool, rule);
        if (sum > 0n) this.logger.info({ event: 'transfer_rule.transferred', ...rule, amount: formatMoney(sum) });
      } catch (error) {
        this.logger.warn({ event: 'transfer_rule.failed', ...rule, sqlState: sqlStateOf(error), error });
      }
    }
    return isMore;
  }

  /** Checks the next budgets; answers whether the round has more. */
  async checkBudgetsOnce(): Promise<boolean> {
    const { checked, alerted, last } = await checkBudgets(this.pool, this.afterBudget, perRoundMax);
    const isMore = checked === perRoundMax;
    this.afterBudget = isMore ? last : null;
    if (alerted > 0) this.logger.info({ event: 'budgets.alerted', alerts: alerted });
    return isMore;
  }
}
