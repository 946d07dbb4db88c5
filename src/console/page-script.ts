/** Beside each time the reader's own, unless that is UTC. Texts that a renewal has replaced get it again. */
export const timeScript = `
const showLocal = () => {
  for (const time of document.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime);
    if (time.querySelector('.local') || at.getTimezoneOffset() === 0) continue;
    const isSameDay = at.getDate() === at.getUTCDate();
    const local = document.createElement('span');
    local.className = 'local';
    local.textContent = ' ' + at.toLocaleString([], { ...(isSameDay ? {} : { month: 'short', day: 'numeric' }), hour: '2-digit', minute: '2-digit' }) + ' local';
    local.title = at.toLocaleString([], { dateStyle: 'full', timeStyle: 'long' });
    time.append(local);
  }
};
showLocal();
document.addEventListener('renewed', showLocal);
`;
