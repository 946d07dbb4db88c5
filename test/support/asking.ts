import { connect } from 'node:net';

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

/** Sends bytes to a port as they are, and returns all that comes back until it is closed; again likewise. */
export async function askRaw(port: number, text: string): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await exchange(port, text);
    const isAgain = answer.startsWith('HTTP/1.1 429 ') && /^retry-after: 1\r$/im.test(answer);
    if (!isAgain || attempt === TRIES) return answer;
  }
}

async function exchange(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('error', () => undefined).on('data', (chunk) => (answer += chunk.toString('latin1')));
  socket.write(text, 'latin1');
  await new Promise((resolve) => socket.on('close', resolve));
  return answer;
}

/** Not of somebody who has guessed passwords, who is told to come back later. */
function isTooOften({ status, headers }: Response): boolean {
  return status === 429 && headers.get('retry-after') === '1';
}
