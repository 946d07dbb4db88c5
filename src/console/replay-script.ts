/**
 * Follows a replay or a dry run. Its numbers change each second without being read out; one sentence is, and only every quarter
 * of a minute. Rate and time left are of what this page has seen, because a replay may have been stopped for hours.
 */
export const replayScript = `
const progress = document.querySelector('[data-replay]');
if (progress) {
  const [EVERY_MS, SPOKEN_MS] = [1000, 15000];
  const [bar, said] = [progress.querySelector('progress'), progress.querySelector('[data-said]')];
  let [first, saidAt] = [undefined, performance.now()];
  const show = (name, text) => {
    const place = progress.querySelector('[data-value="' + name + '"]');
    if (place && place.textContent !== String(text)) place.textContent = text;
  };
  const duration = (seconds) => seconds < 90 ? seconds + ' s' : seconds < 5400 ? Math.round(seconds / 60) + ' min' : Math.round(seconds / 3600) + ' h';
  const take = (state) => {
    const now = performance.now();
    if (first === undefined) first = { done: state.done, at: now };
    const rate = (state.done - first.done) / Math.max(1, now - first.at) * 1000;
    for (const name of Object.keys(state)) show(name, state[name]);
    bar.max = Math.max(1, state.selected);
    bar.value = state.done;
    if (rate > 0) {
      show('rate', rate < 10 ? rate.toFixed(1) : Math.round(rate));
      show('left', duration(Math.ceil((state.selected - state.done) / rate)));
    }
    if (now - saidAt < SPOKEN_MS) return;
    saidAt = now;
    said.textContent = state.done + ' of ' + state.selected + ' done';
  };
  const follow = async () => {
    const answer = document.hidden ? undefined : await fetch(progress.dataset.replay).catch(() => undefined);
    if (answer && answer.status === 401) return location.reload();
    const state = answer && answer.ok ? await answer.json() : undefined;
    if (state && state.ended) return location.reload();
    if (state) take(state);
    setTimeout(follow, EVERY_MS);
  };
  follow();
}
`;
