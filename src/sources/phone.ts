/** The parts of a SIP, SIPS or TEL address, or of a name with one in angle brackets. */
export const SIP_PARTS = ['user', 'host', 'name'] as const;
export type SipPart = (typeof SIP_PARTS)[number];

const SCHEME = /^(sips?|tel):/i;

/**
 * One part of an address; '' where it has none. Never throws: these texts come from callers. An address may stand bare
 * (31205550101@192.0.2.10) or with its display name; a text that is none of this is a user by itself.
 *
 *   sipPart('"Front Desk" <sip:2001@pbx:5060;transport=tcp>', 'user') = '2001', 'host' = 'pbx', 'name' = 'Front Desk'
 */
export function sipPart(text: string, part: SipPart): string {
  const open = text.lastIndexOf('<');
  if (part === 'name') return open < 0 ? '' : unquoted(text.slice(0, open).trim());
  const close = text.indexOf('>', open);
  const whole = open < 0 ? text.trim() : text.slice(open + 1, close < 0 ? text.length : close);
  const scheme = SCHEME.exec(whole)?.[0] ?? '';
  const address = upTo(whole.slice(scheme.length), '?');
  const at = address.lastIndexOf('@');
  const isTel = scheme.toLowerCase() === 'tel:';
  if (part === 'host') return at < 0 && (isTel || scheme === '') ? '' : hostOf(address.slice(at + 1));
  if (at < 0) return scheme === '' || isTel ? decoded(upTo(address, ';')) : '';
  return decoded(upTo(upTo(address.slice(0, at), ';'), ':'));
}

/** The name of a host without its port and parameters; an IPv6 address without its brackets. */
function hostOf(text: string): string {
  const host = upTo(text, ';');
  return host.startsWith('[') ? upTo(host.slice(1), ']') : upTo(host, ':');
}

function unquoted(name: string): string {
  const inside = name.length > 1 && name.startsWith('"') && name.endsWith('"') ? name.slice(1, -1) : name;
  return inside.replace(/\\(.)/g, '$1');
}

function upTo(text: string, end: string): string {
  const at = text.indexOf(end);
  return at < 0 ? text : text.slice(0, at);
}

/** Percent escapes resolved, each run of bytes that is no UTF-8 as U+FFFD: the rules of the web, without + for a blank. */
export function decoded(text: string): string {
  if (!text.includes('%')) return text;
  return [...new URLSearchParams(`a=${text.replace(/[+&]/g, encodeURIComponent)}`).values()][0] ?? '';
}

/** How numbers are dialled in a country. */
export interface NumberPlan {
  /** Calling code that stands in place of `national`. */
  country?: string | undefined;
  /** What is dialled before an international number. */
  international: string;
  /** What is dialled before a national number. */
  national: string;
}

/**
 * A number as international digits without a +. What is no number, or has none of the plan's prefixes, stays as it
 * is: extensions, emergency numbers, anonymous callers.
 *
 *   with country 31: 00442075550142, +44 20 7555 0142 → 442075550142; 020 555 0101 → 31205550101; 2001 → 2001
 */
export function planned(text: string, { country, international, national }: NumberPlan): string {
  const number = text.replace(/[\s().-]/g, '');
  if (!/^\+?\d{1,40}$/.test(number)) return text;
  if (number.startsWith('+')) return number.slice(1);
  if (international !== '' && isBehind(number, international)) return number.slice(international.length);
  if (country !== undefined && national !== '' && isBehind(number, national))
    return country + number.slice(national.length);
  return number;
}

function isBehind(number: string, prefix: string): boolean {
  return number.length > prefix.length && number.startsWith(prefix);
}
