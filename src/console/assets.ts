import { chartCss } from './chart-style.ts';
import { liveScript } from './live-script.ts';

/** Light and dark; one column on a phone. */
export const css = `
:root { color-scheme: light dark; --line: #8885; --soft: #8882; --accent: #0b62c4; --bad: #b3261e; --good: #1b7f3b; }
@media (prefers-color-scheme: dark) { :root { --accent: #7db7ff; --bad: #ff8a80; --good: #7ddc9a; } }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; padding: .6rem 1rem; border-bottom: 1px solid var(--line); }
header nav { display: flex; gap: 1rem; flex: 1; flex-wrap: wrap; }
header form { display: flex; gap: .6rem; align-items: center; }
main { padding: 0 1rem 3rem; max-width: 84rem; margin: 0 auto; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
a { color: var(--accent); }
.skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; top: .5rem; background: Canvas; padding: .3rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
th { font-weight: 600; white-space: nowrap; } td.number { text-align: right; }
tr.differs { background: color-mix(in srgb, var(--bad) 14%, transparent); }
form.filters, form.act { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end; margin: 1rem 0; }
label { display: grid; gap: .15rem; font-size: .9rem; }
input, select, button { font: inherit; padding: .4rem .6rem; border: 1px solid var(--line); border-radius: .35rem; background: Field; color: FieldText; max-width: 100%; min-height: 2.5rem; }
button { cursor: pointer; background: var(--soft); color: inherit; }
button.main { background: var(--accent); color: Canvas; border-color: transparent; }
button.danger { color: var(--bad); }
.numbers { display: flex; flex-wrap: wrap; gap: 1rem; padding: 0; list-style: none; }
.numbers li { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem 1rem; min-width: 8rem; }
.numbers b { display: block; font-size: 1.6rem; }
.problem, .dead { color: var(--bad); } .resolved { color: var(--good); }
progress { width: 100%; height: 1.6rem; accent-color: var(--accent); }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; white-space: pre-wrap; }
@media (max-width: 40rem) { form.filters label, form.act label, form.act button { flex: 1 1 100%; } .wide { display: none; } }
${chartCss}`;

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
${liveScript}`;
