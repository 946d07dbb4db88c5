import { randomUUID } from 'node:crypto';
import type { CallChange } from '../../calls/change.ts';
import { tryCorrection } from '../../calls/correct.ts';
import { type InForce, inForceOf } from '../../calls/in-force.ts';
import { readCallStory } from '../../calls/story.ts';
import { type Taken, valuesToTake } from '../../calls/take.ts';
import { readDeadLetterView } from '../../dead-letters/history.ts';
import type { ResponseEntry } from '../../domain/reply.ts';
import { expectStorable, InvalidInput } from '../../input.ts';
import { type CorrectionOperation, type Order, readOrder } from '../../store/calls/orders.ts';
import { whyIn } from '../mend-form.ts';
import { type ConsoleResponse, errorPage } from '../respond.ts';
import { type ConsoleRequest, NOT_FOUND } from '../route.ts';
import { changeIn, formOf } from './change-form.ts';
import { callPath } from './links.ts';
import { type CorrectForm, correctPage, questionPage } from './page-correct.ts';

/** A call that somebody wants to correct, as it stands. */
interface Chosen {
  uniqueid: string;
  inForce: InForce;
  taken: (Taken & { kind: 'taken'; letter: string }) | null;
}

/** The form that corrects a call, filled in with the values of a conflict where one is to be taken. */
export async function showCorrect(request: ConsoleRequest): Promise<ConsoleResponse> {
  const chosen = await chosenIn(request, request.url.searchParams);
  if ('kind' in chosen) return chosen;
  const form = formOf(chosen.taken?.change ?? {});
  return correctPage({ ...formPage(chosen), form, problem: null }, request.session);
}

/** What voiding a call would move. */
export async function askBeforeVoid(request: ConsoleRequest): Promise<ConsoleResponse> {
  const chosen = await chosenIn(request, request.url.searchParams);
  if ('kind' in chosen) return chosen;
  return await ask(request, chosen, 'void', {}, null);
}

/** What the correction in the form would move; what cannot be done leaves everything that was typed. */
export async function askBeforeCorrect(request: ConsoleRequest): Promise<ConsoleResponse> {
  const { form, session } = request;
  const chosen = await chosenIn(request, form);
  if ('kind' in chosen) return chosen;
  try {
    const change = changeIn(form, chosen.inForce);
    if (Object.keys(change).length === 0) throw new InvalidInput('nothing is corrected: it is so already');
    return await ask(request, chosen, 'update', change, null);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return correctPage({ ...formPage(chosen), form, problem: error.message }, session);
  }
}

function formPage({ uniqueid, inForce, taken }: Chosen): Pick<CorrectForm, 'uniqueid' | 'inForce' | 'taken'> {
  return { uniqueid, inForce, taken };
}

/** Does exactly what was shown. A form that is sent twice books once, and both are told what became of it. */
export async function bookAsShown(request: ConsoleRequest): Promise<ConsoleResponse> {
  const { form, context } = request;
  const operation = operationIn(form);
  const id = orderIdIn(form);
  const before = await readOrder(context.sql, id);
  if (before !== undefined) return await place(request, before, {});
  const chosen = await chosenIn(request, form);
  if ('kind' in chosen) return chosen;
  const change = operation === 'void' ? {} : changeIn(form, chosen.inForce);
  const order = orderOf(request, chosen, operation, id);
  if (order.why === '')
    return await ask(request, chosen, operation, change, {
      status: 400,
      text: 'Nothing was booked: say why. The reason is kept with the entry.',
    });
  const tried = await tryCorrection(context.database, order, change, chosen.inForce, context.billing);
  if (tried.kind === 'refused') return refused(chosen.uniqueid, tried.responses);
  if (tried.mark !== form.get('expected'))
    return await ask(request, chosen, operation, change, {
      status: 409,
      text: 'The call, or what it would be charged on, has changed since it was shown: nothing was booked. This is what would move now.',
    });
  return await place(request, order, change);
}

async function place(request: ConsoleRequest, order: Order, change: CallChange): Promise<ConsoleResponse> {
  const { uniqueid, operation } = order;
  const placed = await request.context.placeOrder(order, change);
  switch (placed.kind) {
    case 'booked':
      return { kind: 'redirect', to: `${callPath(uniqueid)}&done=${operation}` };
    case 'refused':
      return refused(uniqueid, placed.responses);
    case 'not sent':
      return errorPage(502, 'No broker', `Nothing was booked: ${placed.problem}.`);
    case 'unanswered':
      return { kind: 'redirect', to: callPath(uniqueid) };
    default:
      return placed satisfies never;
  }
}

/** Shows what would move, with an order of its own. Throws InvalidInput where nothing can be booked. */
async function ask(
  request: ConsoleRequest,
  chosen: Chosen,
  operation: CorrectionOperation,
  change: CallChange,
  problem: { status: number; text: string } | null,
): Promise<ConsoleResponse> {
  const { context, session, form } = request;
  const order = orderOf(request, chosen, operation, randomUUID());
  const tried = await tryCorrection(context.database, order, change, chosen.inForce, context.billing);
  if (tried.kind === 'refused') {
    if (operation === 'update') throw new InvalidInput(reasonsIn(tried.responses));
    return refused(chosen.uniqueid, tried.responses);
  }
  const { preview, mark, names } = tried;
  const { uniqueid, inForce } = chosen;
  const why = form.get('why') ?? '';
  return questionPage(
    {
      ...{ order: order.id, operation, uniqueid, inForce, change, why, preview, mark, names, problem },
      deadLetter: order.deadLetter,
    },
    session,
  );
}

function orderOf(
  { form, session }: ConsoleRequest,
  { uniqueid, inForce, taken }: Chosen,
  operation: CorrectionOperation,
  id: string,
): Order {
  return {
    ...{ id, operation, uniqueid, follows: inForce.latest },
    ...{ operator: session.username, why: whyIn(form) ?? '', program: 'console' },
    deadLetter: taken?.letter ?? null,
  };
}

/** Throws InvalidInput. */
async function chosenIn(
  { context, session }: ConsoleRequest,
  given: URLSearchParams,
): Promise<Chosen | ConsoleResponse> {
  if (session.role !== 'operator')
    return errorPage(403, 'Not allowed', 'This needs a user with the role operator.');
  const uniqueid = given.get('uniqueid') ?? '';
  expectStorable('uniqueid', uniqueid);
  const story = await readCallStory(context.sql, uniqueid);
  const inForce = story === undefined ? null : inForceOf(story);
  // One that is pruned has a page that says so.
  if (inForce === null) return story === undefined ? NOT_FOUND : { kind: 'redirect', to: callPath(uniqueid) };
  return {
    uniqueid,
    inForce,
    taken: await takenIn(context.sql, context.systemCurrency, given, uniqueid, inForce),
  };
}

async function takenIn(
  sql: ConsoleRequest['context']['sql'],
  systemCurrency: string,
  given: URLSearchParams,
  uniqueid: string,
  inForce: InForce,
): Promise<Chosen['taken']> {
  const letter = given.get('take');
  if (letter === null) return null;
  const view = /^\d{1,18}$/.test(letter) ? await readDeadLetterView(sql, letter, systemCurrency) : undefined;
  if (view === undefined) throw new InvalidInput(`take: there is no dead letter ${JSON.stringify(letter)}`);
  const values = valuesToTake(view, uniqueid, inForce);
  if (values.kind === 'refused') throw new InvalidInput(values.why);
  return { ...values, letter };
}

/** Throws InvalidInput. */
function operationIn(form: URLSearchParams): CorrectionOperation {
  const operation = form.get('operation');
  if (operation === 'void' || operation === 'update') return operation;
  throw new InvalidInput('this form was changed on its way; go back and try again');
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Throws InvalidInput. */
function orderIdIn(form: URLSearchParams): string {
  const id = form.get('order') ?? '';
  if (UUID.test(id)) return id;
  throw new InvalidInput('this form was changed on its way; go back and try again');
}

function refused(uniqueid: string, responses: readonly ResponseEntry[]): ConsoleResponse {
  return errorPage(409, 'Nothing was booked', `Call ${uniqueid}: ${reasonsIn(responses)}.`);
}

function reasonsIn(responses: readonly ResponseEntry[]): string {
  return responses.map(({ key, message }) => (key === '' ? message : `${key}: ${message}`)).join('; ');
}
