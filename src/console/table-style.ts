/**
 * Of tables. Numbers, times and ids are never broken; other text is, at any place if it has to be. On a phone a table whose cells
 * have a `data-label` becomes a list of cards, in which each cell stands beside the name of its column.
 */
export const tableCss = `
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word; }
th { font-weight: 600; } thead th { white-space: nowrap; background: var(--raised); }
td.number, th.number { text-align: right; white-space: nowrap; }
td.text { min-width: 8rem; overflow-wrap: anywhere; }
td.tick, th.tick { width: 2.75rem; }
tbody tr:hover { background: var(--raised); } tr:has(input:checked) { background: var(--soft); }
tr.differs { background: var(--bad-soft); }
table.narrow th { overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  table.narrow :is(th, td) { padding: .35rem .3rem; } table.narrow thead th { white-space: normal; overflow-wrap: normal; }
  .wide { display: none; }
  table:has(td[data-label]), table:has(td[data-label]) :is(tbody, tr, td, tbody th) { display: block; }
  table:has(td[data-label]) thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table:has(td[data-label]) tr { border: 1px solid var(--line); border-radius: .5rem; margin: 0 0 .75rem; padding: .4rem .75rem; }
  table:has(td[data-label]) :is(td, tbody th) { display: grid; grid-template-columns: minmax(5.5rem, 34%) minmax(0, 1fr); gap: .75rem; border: 0; padding: .2rem 0; text-align: left; width: auto; min-width: 0; white-space: normal; overflow-wrap: anywhere; }
  table:has(td[data-label]) :is(td, tbody th)[data-label]::before { content: attr(data-label); color: var(--muted); font-weight: 400; }
  table:has(td[data-label]) :is(td, th).number { overflow-wrap: normal; }
  table:has(td[data-label]) td:empty { display: none; }
}
`;
