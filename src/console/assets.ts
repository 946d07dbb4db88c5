import { listScript } from './list-script.ts';
import { liveScript } from './live-script.ts';
import { timeScript } from './page-script.ts';
import { replayScript } from './replay-script.ts';

export { css } from './style.ts';

/** What every page has, and what follows a replay, chooses rows and renews the overview where a page has that. */
export const js = `
'use strict';
${timeScript}${replayScript}${listScript}${liveScript}`;
