/** Says how many rows are ticked, and that the actions above apply to them as soon as one is. */
export const listScript = `
const scope = document.querySelector('[data-scope]');
if (scope) {
  const ticks = [...document.querySelectorAll('input[type=checkbox][form="' + scope.form.id + '"]')];
  const option = scope.querySelector('[value=ticked]');
  const count = () => {
    const ticked = ticks.filter((tick) => tick.checked).length;
    option.textContent = option.dataset.text + ' (' + ticked + ')';
    return ticked;
  };
  for (const tick of ticks) tick.addEventListener('change', () => { if (count() > 0) scope.value = 'ticked'; });
  count();
  // The browser fills a form again after "back".
  addEventListener('pageshow', count);
}
`;
