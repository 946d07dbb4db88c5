import type { Config } from './config.ts';
import type { BillingRules } from './domain/charge.ts';

/** The variables of every command that charges calls. */
export const billingVariables = ['SYSTEM_CURRENCY', 'OPEN_INVOICE_STATUSES', 'LATE_CALLS'] as const;

export function billingRulesOf(config: Pick<Config, (typeof billingVariables)[number]>): BillingRules {
  return {
    systemCurrency: config.SYSTEM_CURRENCY,
    openStatuses: config.OPEN_INVOICE_STATUSES,
    lateCalls: config.LATE_CALLS,
  };
}
