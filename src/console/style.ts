import { chartCss } from './chart-style.ts';
import { controlCss } from './control-style.ts';
import { tableCss } from './table-style.ts';

/**
 * The style sheet: light and dark, with colours of its own for both, so that no browser's default shows through; one column on a
 * phone. Texts have a contrast of at least 4.5 to what is behind them, edges of controls 3 (WCAG 2.2 AA).
 */
export const css = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --raised: #f3f5f8; --text: #1b1f24; --muted: #555e68; --line: #d3d9df; --edge: #747d87; --soft: #e7ebf0;
  --accent: #0a58a8; --on-accent: #ffffff; --bad: #a8201a; --bad-soft: #fdeceb; --good: #17662f; --good-soft: #e6f5ea;
  --warn: #704600; --warn-soft: #fdf3dc;
}
@media (prefers-color-scheme: dark) { :root {
  --page: #14171b; --raised: #1d2127; --text: #e7e9ec; --muted: #a9b1ba; --line: #363d45; --edge: #7f8993; --soft: #2a3038;
  --accent: #86bcff; --on-accent: #0b1a2b; --bad: #ff9a91; --bad-soft: #3a1f1d; --good: #84dca0; --good-soft: #1a3323;
  --warn: #f2c873; --warn-soft: #372c14;
} }
* { box-sizing: border-box; }
html { scroll-padding-top: 5rem; } @media (max-width: 40rem) { html { scroll-padding-top: 10rem; } }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); }
header { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: center; padding: .4rem 1rem; background: var(--raised); border-bottom: 1px solid var(--line); }
header nav { display: flex; gap: .1rem .4rem; flex: 1; flex-wrap: wrap; }
header nav a { padding: .35rem .6rem; border-radius: .35rem; text-decoration: none; color: var(--text); }
header nav a:hover { background: var(--soft); }
header nav a[aria-current] { font-weight: 600; color: var(--accent); box-shadow: inset 0 -2px var(--accent); }
header form { display: flex; flex-wrap: wrap; gap: .2rem .6rem; align-items: center; }
main { padding: 0 1rem 3rem; max-width: 84rem; margin: 0 auto; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 1.2rem 0 .8rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
a { color: var(--accent); }
.skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; top: .5rem; background: var(--page); padding: .3rem .6rem; z-index: 2; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
small, .muted { color: var(--muted); font-size: .875rem; }
.amount { white-space: nowrap; font-variant-numeric: tabular-nums; }
code, .id { font: .95em ui-monospace, monospace; overflow-wrap: break-word; }
time { white-space: nowrap; } time .local { display: block; color: var(--muted); font-size: .8rem; }
p time .local, li time .local { display: inline; }
.numbers { display: flex; flex-wrap: wrap; gap: .75rem; padding: 0; list-style: none; }
.numbers li { background: var(--raised); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem 1rem; min-width: 8rem; max-width: 100%; }
.numbers b { display: block; font-size: 1.5rem; line-height: 1.3; }
.problem, .dead { color: var(--bad); } .resolved { color: var(--good); }
.badge { display: inline-block; padding: 0 .5rem; border-radius: 1rem; border: 1px solid currentColor; font-size: .85rem; white-space: nowrap; color: var(--muted); }
.badge.dead { color: var(--bad); background: var(--bad-soft); } .badge.resolved { color: var(--good); background: var(--good-soft); }
.badge.replaying, .badge.warning { color: var(--warn); background: var(--warn-soft); }
.notice { padding: .6rem 1rem; border: 1px solid var(--line); border-left: .35rem solid var(--accent); border-radius: .35rem; background: var(--raised); margin: 1rem 0; }
.notice.warning { border-left-color: var(--warn); background: var(--warn-soft); }
.notice.problem { border-left-color: var(--bad); background: var(--bad-soft); }
.notice.done { border-left-color: var(--good); background: var(--good-soft); }
.notice > :first-child { margin-top: 0; } .notice > :last-child { margin-bottom: 0; }
.empty { padding: 2rem 1rem; text-align: center; color: var(--muted); border: 1px dashed var(--edge); border-radius: .5rem; }
progress { width: 100%; height: 1.6rem; accent-color: var(--accent); }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: .35rem; padding: .8rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .25rem 1rem; margin: 1rem 0; } dl.facts dt { color: var(--muted); } dl.facts dd { margin: 0; }
@media (max-width: 40rem) { dl.facts { grid-template-columns: minmax(0, 1fr); } dl.facts dd { margin-bottom: .4rem; } main { padding: 0 .75rem 3rem; } header { padding: .4rem .75rem; } header form { margin-left: auto; } header nav { order: 1; flex: 1 1 100%; } header nav a { padding: .35rem .5rem; } .numbers { gap: .5rem; } .numbers li { flex: 1 1 8rem; padding: .5rem .75rem; } }
@media (prefers-reduced-motion: no-preference) { a, button, summary { transition: background-color .12s; } }
@media (prefers-reduced-motion: reduce) { *, ::before, ::after { animation: none !important; transition: none !important; scroll-behavior: auto !important; } }
@media (forced-colors: active) { .badge, .notice, .numbers li, header nav a[aria-current] { border: 1px solid CanvasText; } :focus-visible { outline-color: Highlight; } }
${controlCss}${tableCss}${chartCss}`;
