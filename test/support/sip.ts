import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** What the called side does with a call. */
export type Called = 'answers' | 'is busy' | 'rings until the caller cancels' | 'answers and vanishes';

export interface SipCall {
  /** Port of the proxy on 127.0.0.1. */
  proxy: number;
  called: Called;
  /** Display name of the caller, as it stands in quotes. */
  name?: string;
}

const HOST = '127.0.0.1';
const END = ['Content-Length: 0', '', ''];

/** Where called sides are reached; a proxy under test sends its calls here. */
export interface CalledSide {
  port: number;
  close(): void;
}

/** Answers what a proxy sends here, as the user part of the request says. */
export async function openCalledSide(): Promise<CalledSide> {
  const socket = await open();
  const { port } = socket.address();
  const contact = `Contact: <sip:${HOST}:${port}>`;
  const invites = new Map<string, string>();
  socket.on('message', (bytes, { port: to }) => {
    const message = bytes.toString();
    const [method = ''] = message.split(' ');
    const call = header(message, 'Call-ID');
    const reply = (status: string, about = message) =>
      socket.send([`SIP/2.0 ${status}`, ...copied(about), contact, ...END].join('\r\n'), to, HOST);
    if (method === 'INVITE') {
      invites.set(call, message);
      reply('180 Ringing');
      if (message.includes('X-Called: answers')) reply('200 OK');
      if (message.includes('X-Called: is busy')) reply('486 Busy Here');
    }
    if (method === 'CANCEL') {
      reply('200 OK');
      reply('487 Request Terminated', invites.get(call) ?? message);
    }
    if (method === 'BYE') reply('200 OK');
  });
  return { port, close: () => socket.close() };
}

/** The headers that every reply repeats; its To has a tag of the called side. */
function copied(request: string): string[] {
  const to = headers(request, 'To')[0] ?? '';
  const tagged = to.includes('tag=') ? to : `${to};tag=${header(request, 'Call-ID').slice(0, 8)}-called`;
  return [
    ...headers(request, 'Via').map((via) => `Via: ${via}`),
    ...headers(request, 'Record-Route').map((route) => `Record-Route: ${route}`),
    `From: ${header(request, 'From')}`,
    `To: ${tagged}`,
    `Call-ID: ${header(request, 'Call-ID')}`,
    `CSeq: ${header(request, 'CSeq')}`,
  ];
}

/** Makes one call through a proxy to its end. Resolves with its Call-ID. */
export async function makeCall({ proxy, called, name = 'Front Desk' }: SipCall): Promise<string> {
  const socket = await open();
  const callId = `${token()}@${HOST}`;
  const uri = `sip:+442075550142@${HOST}:${proxy}`;
  const { port } = socket.address();
  const from = `From: "${name}" <sip:31205550101@${HOST}:${port}>;tag=${token()}`;
  const branch = token();
  const send = (method: string, target: string, number: number, to: string, more: string[] = []) => {
    const own = method === 'INVITE' || method === 'CANCEL' ? branch : token();
    const lines = [
      `${method} ${target} SIP/2.0`,
      `Via: SIP/2.0/UDP ${HOST}:${port};branch=z9hG4bK${own}`,
      ...more,
      from,
      `To: ${to}`,
      `Call-ID: ${callId}`,
      `CSeq: ${number} ${method}`,
      'Max-Forwards: 70',
    ];
    socket.send([...lines, ...END].join('\r\n'), proxy, HOST);
  };
  const ended = new Promise<void>((resolve) => {
    socket.on('message', (bytes) => {
      const message = bytes.toString();
      const status = Number(message.split(' ')[1]);
      const method = header(message, 'CSeq').split(' ')[1];
      const to = header(message, 'To');
      if (method === 'BYE') return resolve();
      if (method !== 'INVITE') return;
      if (status === 180 && called.includes('cancels')) send('CANCEL', uri, 1, `<${uri}>`);
      if (status >= 300) {
        send('ACK', uri, 1, to);
        resolve();
      }
      if (status !== 200) return;
      const target = header(message, 'Contact').replaceAll(/[<>]/g, '');
      const routes = headers(message, 'Record-Route')
        .reverse()
        .map((route) => `Route: ${route}`);
      send('ACK', target, 1, to, routes);
      if (called === 'answers and vanishes') return resolve();
      setTimeout(() => send('BYE', target, 2, to, routes), TALK_MS);
    });
  });
  const contact = `Contact: <sip:${HOST}:${port}>`;
  send('INVITE', uri, 1, `<${uri}>`, [contact, `X-Called: ${called}`]);
  await ended;
  socket.close();
  return callId;
}

/** Long enough for a second of talk time after rounding down. */
const TALK_MS = 1200;

async function open(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, HOST);
  await once(socket, 'listening');
  return socket;
}

/** A free port for a server that listens on UDP. */
export async function freeUdpPort(): Promise<number> {
  const socket = await open();
  const { port } = socket.address();
  socket.close();
  return port;
}

function token(): string {
  return randomBytes(6).toString('hex');
}

function headers(message: string, name: string): string[] {
  return [...message.matchAll(new RegExp(`^${name}: (.*)$`, 'gim'))].map(([, value = '']) => value.trim());
}

function header(message: string, name: string): string {
  return headers(message, name)[0] ?? '';
}
