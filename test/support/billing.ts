import type { BillingRules } from '../../src/domain/charge.ts';

/** What the configuration says where a variable is not set. */
export const BILLING: BillingRules = { systemCurrency: 'USD', openStatuses: ['open'], lateCalls: 'hold' };
