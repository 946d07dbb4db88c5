import type { Channel } from 'amqplib';
import { BASIC } from './content-header.ts';
import { BASIC_DELIVER, type Frame } from './usual-frames.ts';

/** What a channel of amqplib does with the next frame of a message; returns what it does with the one after it. */
type Taking = (this: object, frame: Frame) => Taking;

/**
 * Makes messages of deliveries whose body is one frame, as nearly all are, without the functions in which amqplib keeps
 * the frames of each message until its last: 360 bytes a message (bench/NOTES.md). All others it makes itself.
 *
 * @throws if amqplib's internals are not those of version 2.3.1
 */
export function assembleUsual(channel: Channel): void {
  const inside = takingOf(channel);
  const takeByAmqplib = inside.handleMessage;
  let method: Frame | undefined;
  let header: Frame | undefined;

  function takeUsual(frame: Frame): Taking {
    if (method === undefined && frame.id === BASIC_DELIVER) method = frame;
    else if (method !== undefined && header === undefined && frame.id === BASIC && frame.size !== 0)
      header = frame;
    else if (header !== undefined && frame.content !== undefined && frame.content.length === header.size)
      hand(frame.content);
    else return handOver(frame);
    return takeUsual;
  }

  function hand(content: Buffer): void {
    const message = { fields: method?.fields, properties: header?.fields, content };
    method = undefined;
    header = undefined;
    channel.emit('delivery', message);
  }

  /** What has come of a message, and what is still to come of it, goes to amqplib. */
  function handOver(frame: Frame): Taking {
    const held = [method, header].filter((one) => one !== undefined);
    method = undefined;
    header = undefined;
    return [...held, frame].reduce((taking, one) => taking.call(channel, one), untilTheNext(takeByAmqplib));
  }

  /** By amqplib, until it waits for another message. */
  function untilTheNext(taking: Taking): Taking {
    return (frame) => {
      const next = taking.call(channel, frame);
      return next === takeByAmqplib ? takeUsual : untilTheNext(next);
    };
  }

  inside.handleMessage = takeUsual;
}

function takingOf(channel: Channel): { handleMessage: Taking } {
  const inside = channel as unknown as { handleMessage?: Taking };
  if (inside.handleMessage === undefined) throw new Error('amqplib does not take frames by "handleMessage"');
  return inside as { handleMessage: Taking };
}
