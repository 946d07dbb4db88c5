import { listScript } from './list-script.ts';
import { liveScript } from './live-script.ts';
import { timeScript } from './page-script.ts';

export { css } from './style.ts';

/** Shows the progress of a replay, and renews the overview, without reloading the page. */
export const js = `
'use strict';
const job = document.querySelector('[data-job]');
if (job) {
  const follow = async () => {
    const answer = await fetch('/replays/' + job.dataset.job + '.json').catch(() => undefined);
    if (answer && answer.status === 401) { location.reload(); return; }
    const state = answer && answer.ok ? await answer.json() : undefined;
    if (state) {
      for (const [name, value] of Object.entries(state)) {
        const place = job.querySelector('[data-value="' + name + '"]');
        if (place) place.textContent = value;
      }
      const bar = job.querySelector('progress');
      bar.max = Math.max(1, state.selected);
      bar.value = state.done;
      if (state.ended) { location.reload(); return; }
    }
    setTimeout(follow, 500);
  };
  follow();
}
${timeScript}${listScript}${liveScript}`;
