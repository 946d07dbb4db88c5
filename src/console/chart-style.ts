/** Of the charts. No colour alone says anything: each row of bars has its name above it. */
export const chartCss = `
.chart { margin: 0; max-width: 64rem; }
.chart figcaption { font-size: .9rem; margin-top: .8rem; }
.chart-row, .chart-times, .chart-reader { display: grid; grid-template-columns: 4rem minmax(0, 1fr); gap: .4rem; }
.chart-scale { display: flex; flex-direction: column; justify-content: space-between; text-align: right; font-size: .75rem; line-height: 1; font-variant-numeric: tabular-nums; }
.chart svg.bars { display: block; width: 100%; height: 6rem; fill: var(--accent); border-bottom: 1px solid currentColor; }
.chart svg.bad { fill: var(--bad); height: 4rem; }
.chart .grid { stroke: currentColor; stroke-opacity: .3; vector-effect: non-scaling-stroke; }
.chart .whole { fill: transparent; }
.chart g:hover .whole, .chart g.marked .whole { fill: currentColor; fill-opacity: .18; }
.chart-times { grid-template-columns: 4.4rem repeat(4, minmax(0, 1fr)); gap: 0; font-size: .75rem; }
.chart-times::before { content: ''; }
.chart-times span { border-left: 1px solid currentColor; padding-left: .25rem; }
.chart-reader[hidden] { display: none; }
.chart-reader input { grid-column: 2; width: 100%; padding: 0; margin: 0; accent-color: var(--accent); }
.chart-reader output { grid-column: 1 / -1; min-height: 1.5em; }
.chart-table { max-height: 20rem; overflow: auto; }
.chart-table table { width: auto; }
.renewal { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; justify-content: end; font-size: .9rem; margin: 0; }
.renewal button { min-height: 2rem; padding: .1rem .6rem; }
@media (min-width: 40rem) { .renewal { margin-top: -2.6rem; } }
@media (forced-colors: active) { .chart svg.bars { fill: CanvasText; forced-color-adjust: none; color: CanvasText; } .chart g:hover .whole, .chart g.marked .whole { fill: Highlight; fill-opacity: .5; } }
`;
