/** What people do that is kept on record beside the histories of single dead letters. */
export const acts = [
  'signed in',
  'sign-in refused',
  'corrected',
  'discarded',
  'reopened',
  'dry run',
  'replay started',
  'replay stopped',
  'replay resumed',
  'replay ended',
  'exported',
  'call voided',
  'call corrected',
  'late calls attached',
  'user added',
  'user changed',
  'user disabled',
] as const;
export type Act = (typeof acts)[number];

/** Where an act was asked for. */
export const programs = ['command', 'console'] as const;
export type Program = (typeof programs)[number];
