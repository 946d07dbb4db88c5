import { type Html, html, type Part } from './html.ts';

/** A column of a table: its name and what it shows of a row. */
export interface Column<Row> {
  name: string;
  of: (row: Row) => Part;
  /** `number`: at the right, never broken. `text`: may be broken anywhere. `head`: what the row is about. */
  kind?: 'number' | 'text' | 'head' | 'tick';
  /** Not on a phone. */
  isWide?: boolean;
}

/**
 * A table, which on a phone is a list of cards (table-style.ts). The roles are those that a table has anyway; some browsers drop
 * them for one that is laid out otherwise.
 *
 * @param caption what it shows, for readers who do not see it
 * @param isNarrow with so few and short columns that it stays a table on a phone
 */
export function table<Row>(
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  isNarrow = false,
): Html {
  const labelOf = ({ name }: Column<Row>) => !isNarrow && html` data-label="${name}"`;
  const classOf = ({ kind, isWide }: Column<Row>) =>
    [kind, isWide && 'wide'].filter((name) => name).join(' ');
  const cell = (column: Column<Row>, row: Row) =>
    column.kind === 'head'
      ? html`<th scope="row" role="rowheader" class="${classOf(column)}"${labelOf(column)}><span>${column.of(row)}</span></th>`
      : html`<td role="cell" class="${classOf(column)}"${labelOf(column)}>${cellOf(column.of(row))}</td>`;
  return html`<div class="scroll"><table role="table"${isNarrow && html` class="narrow"`}><caption class="unseen">${caption}</caption>
<thead role="rowgroup"><tr role="row">${columns.map(
    (column) =>
      html`<th scope="col" role="columnheader" class="${classOf(column)}">${column.kind === 'tick' ? html`<span class="unseen">${column.name}</span>` : column.name}</th>`,
  )}</tr></thead>
<tbody role="rowgroup">${rows.map((row) => html`<tr role="row">${columns.map((column) => cell(column, row))}</tr>\n`)}</tbody></table></div>`;
}

/** One element in a cell, so that a card has two columns whatever is in it; nothing in an empty one, which a card leaves out. */
function cellOf(part: Part): Html {
  const { text } = html`${part}`;
  return text === '' ? html`` : html`<span>${part}</span>`;
}

/** The status of a dead letter or a replay. Its colour says nothing that its word does not. */
export function badge(status: string): Html {
  return html`<span class="badge ${status}">${status}</span>`;
}

/** In place of a list without rows: that there is none, and what to do about it. */
export function empty(text: Part): Html {
  return html`<p class="empty">${text}</p>`;
}

/** A message at the top of a page. A problem is read out at once. */
export function notice(kind: 'info' | 'warning' | 'problem' | 'done', body: Part): Html {
  return html`<div class="notice ${kind}" ${kind === 'problem' ? html`role="alert"` : html`role="${kind === 'done' ? 'status' : 'note'}"`}>${body}</div>`;
}

/** A link to the next page of a list, and one back to its first. */
export function pagination(first: string | undefined, next: string | undefined): Html {
  if (first === undefined && next === undefined) return html``;
  return html`<nav class="pages" aria-label="Pages of the list">${first !== undefined && html`<a href="${first}">First page</a>`}
${next !== undefined && html`<a href="${next}" rel="next">Next page</a>`}</nav>`;
}

/** Names and values, one under the other. */
export function facts(rows: readonly (readonly [name: string, value: Part])[]): Html {
  return html`<dl class="facts">${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}
