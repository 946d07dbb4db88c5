/**
 * Renews the part of a page that is marked with data-live, and reads charts. A renewal changes what differs and leaves every
 * other element in its place, so that focus, scrolling and what was opened stay. It pauses while the page is hidden or the reader
 * asks for it. Whether it works is said once when that changes, not each time.
 */
export const liveScript = `
const live = document.querySelector('[data-live]');
if (live) {
  const [button, said] = [document.querySelector('[data-pause]'), document.querySelector('[data-renewal]')];
  const RENEWED_MS = 5000;
  let isPaused = false;
  const say = (text) => { if (said.textContent !== text) said.textContent = text; };
  const isOwn = (node) => node.nodeType === 1 && node.hasAttribute('data-chart-reader');
  /** What the reader opened or marked stays; the script itself shows what is hidden without it. */
  const KEPT = ['open', 'hidden'];
  const renew = (now, next) => {
    if (now.nodeType !== next.nodeType || now.nodeName !== next.nodeName) return now.replaceWith(next);
    if (now.nodeType !== 1) { if (now.data !== next.data) now.data = next.data; return; }
    if (isOwn(now)) return;
    for (const { name } of [...now.attributes]) if (!KEPT.includes(name) && !next.hasAttribute(name)) now.removeAttribute(name);
    for (const { name, value } of next.attributes)
      if (!KEPT.includes(name) && now.getAttribute(name) !== value) now.setAttribute(name, value);
    const [before, after] = [[...now.childNodes], [...next.childNodes]];
    after.forEach((child, index) => { if (index < before.length) renew(before[index], child); else now.append(child); });
    for (const child of before.slice(after.length)) child.remove();
  };
  const fetchLive = async () => {
    const answer = await fetch(location.href).catch(() => undefined);
    if (answer === undefined || !answer.ok) return say('Not renewed: the console does not answer.');
    if (answer.redirected) return say('Not renewed: you are signed out. Reload the page to sign in.');
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('[data-live]');
    if (fresh === null || isPaused) return;
    renew(live, fresh);
    say('');
    document.dispatchEvent(new Event('renewed'));
  };
  const turn = async () => {
    if (!document.hidden && !isPaused) await fetchLive();
    setTimeout(turn, RENEWED_MS);
  };
  setTimeout(turn, RENEWED_MS);
  button.hidden = false;
  button.addEventListener('click', () => {
    isPaused = !isPaused;
    button.textContent = isPaused ? 'Resume the updates' : 'Pause the updates';
  });
}
for (const chart of document.querySelectorAll('[data-chart]')) {
  const reader = chart.querySelector('[data-chart-reader]');
  const [slider, output] = [reader.querySelector('input'), reader.querySelector('output')];
  const columns = () => [...chart.querySelectorAll('svg')].map((svg) => [...svg.querySelectorAll('g')]);
  const show = () => {
    const all = columns();
    for (const bars of all) bars.forEach((bar, index) => bar.classList.toggle('marked', index === Number(slider.value)));
    const title = all[0] && all[0][Number(slider.value)] && all[0][Number(slider.value)].querySelector('title');
    const text = title ? title.textContent : '';
    output.textContent = text;
    slider.setAttribute('aria-valuetext', text);
  };
  chart.addEventListener('pointerover', ({ target }) => {
    const bar = target.closest('g');
    if (bar === null) return;
    slider.value = [...bar.parentNode.querySelectorAll('g')].indexOf(bar);
    show();
  });
  slider.addEventListener('input', show);
  document.addEventListener('renewed', show);
  reader.hidden = false;
  show();
}
`;
