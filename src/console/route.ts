import type { Background } from './background.ts';
import type { ConsoleContext } from './context.ts';
import { type ConsoleResponse, errorPage } from './respond.ts';
import type { Session } from './session.ts';

/** A request of a signed-in user; `form` is empty for GET. */
export interface ConsoleRequest {
  url: URL;
  form: URLSearchParams;
  session: Session;
  context: ConsoleContext;
  background: Background;
}

/** One page or one action. */
export interface Route {
  method: 'GET' | 'POST';
  path: RegExp;
  /** `id` is what the group in `path` matched. */
  handle: (request: ConsoleRequest, id: string) => Promise<ConsoleResponse> | ConsoleResponse;
}

export const NOT_FOUND = errorPage(404, 'Not found', 'There is no such page.');
