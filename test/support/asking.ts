/** Each takes two seconds: a server tells it no sooner. */
const TRIES = 10;

/** Asks a worker or a console for a page; again where it was asked more often in a second than it answers one client. */
export async function ask(url: string, init: RequestInit = {}): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(url, init);
    if (!isTooOften(response) || attempt === TRIES) return response;
    await response.text();
  }
}

/** Not of somebody who has guessed passwords, who is told to come back later. */
function isTooOften({ status, headers }: Response): boolean {
  return status === 429 && headers.get('retry-after') === '1';
}
