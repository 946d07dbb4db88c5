import { html } from './html.ts';

/** Beside the part of a page that is renewed by itself: a way to pause that, and a place that says when it fails. */
export const renewal = html`<p class="renewal"><span role="status" data-renewal></span> <button type="button" data-pause hidden>Pause the updates</button></p>`;
