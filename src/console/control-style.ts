/** Of forms and what is in them. */
export const controlCss = `
.filters, form.act, .row { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end; margin: 1rem 0; }
.filters label { flex: 1 1 11rem; } .filters :is(input:not([type=checkbox]), select) { width: 100%; }
label { display: grid; gap: .15rem; font-size: .9rem; }
label.tick { display: inline-flex; grid-auto-flow: column; align-items: center; gap: .5rem; min-height: 2.5rem; font-size: 1rem; }
input, select, textarea, button, .button { font: inherit; padding: .4rem .7rem; border: 1px solid var(--edge); border-radius: .35rem; background: var(--page); color: var(--text); max-width: 100%; min-height: 2.5rem; }
input[type=checkbox], input[type=radio] { width: 1.5rem; height: 1.5rem; min-height: 0; margin: 0; padding: 0; flex: none; accent-color: var(--accent); }
fieldset { display: flex; flex-wrap: wrap; gap: .3rem 1rem; align-items: end; margin: .6rem 0; padding: .4rem .8rem .7rem; border: 1px solid var(--line); border-radius: .35rem; min-width: 0; } legend { max-width: 100%; overflow-wrap: anywhere; } fieldset label:not(.tick) { flex: 0 1 18rem; min-width: 0; } fieldset label:not(.tick) > :is(input, select) { width: 100%; }
fieldset p, fieldset .row { flex-basis: 100%; margin: 0; }
textarea { width: 100%; min-height: 8rem; font-family: ui-monospace, monospace; font-size: .9rem; }
::placeholder { color: var(--muted); opacity: 1; }
button, .button { cursor: pointer; background: var(--soft); display: inline-flex; align-items: center; text-decoration: none; }
button:hover, .button:hover { background: var(--line); }
button:disabled { cursor: not-allowed; opacity: .6; }
button.main { background: var(--accent); color: var(--on-accent); border-color: var(--accent); }
:is(button, .button).danger { color: var(--bad); border-color: var(--bad); }
button.danger.main { background: var(--bad); color: var(--page); }
.search { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; margin: .8rem 0; }
.search label { flex: 1 1 16rem; max-width: 40rem; } .search input { width: 100%; }
details { margin: .8rem 0; } summary { cursor: pointer; padding: .35rem 0; min-height: 1.5rem; }
.bar { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: .5rem .6rem; align-items: center; padding: .5rem .75rem; margin: 1rem 0 .5rem; background: var(--raised); border: 1px solid var(--line); border-radius: .5rem; }
.bar form { margin: 0; } .bar label { display: flex; align-items: center; gap: .4rem; }
.sorts, .pages { display: flex; flex-wrap: wrap; gap: .3rem 1rem; align-items: center; margin: .8rem 0; padding: 0; list-style: none; }
.sorts a, .pages a { padding: .2rem 0; } .sorts [aria-current] { font-weight: 600; color: inherit; text-decoration: none; }
@media (max-width: 40rem) {
  .filters label, form.act label { flex: 1 1 100%; } .filters input:not([type=checkbox]), .filters select, form.act input:not([type=checkbox], [type=radio]), form.act select { width: 100%; }
  .bar label:not(.tick), .bar select { width: 100%; }
}
/* Where little fits in, as when everything is shown large, it would hide what it is about. */
@media (max-height: 34rem) { .bar { position: static; } }
`;
