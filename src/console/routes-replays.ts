import { showDryRun, startReplay } from './actions.ts';
import { numbersOf } from './jobs.ts';
import { jobPage, jobsPage } from './page-replays.ts';
import { NOT_FOUND, type Route } from './route.ts';

/** Dry runs and replays. */
export const replayRoutes: readonly Route[] = [
  { method: 'GET', path: /^\/replays$/, handle: ({ jobs }) => jobsPage(jobs.all) },
  {
    method: 'GET',
    path: /^\/replays\/([\w-]+)\.json$/,
    handle: ({ jobs }, id) => {
      const job = jobs.find(id);
      return job === undefined ? NOT_FOUND : { kind: 'json', value: numbersOf(job) };
    },
  },
  {
    method: 'GET',
    path: /^\/replays\/([\w-]+)$/,
    handle: ({ jobs, session }, id) => {
      const job = jobs.find(id);
      return job === undefined ? NOT_FOUND : jobPage(job, session);
    },
  },
  {
    method: 'POST',
    path: /^\/replays\/([\w-]+)\/stop$/,
    handle: ({ jobs }, id) => {
      jobs.find(id)?.stop.abort();
      return { kind: 'redirect', to: `/replays/${id}` };
    },
  },
  { method: 'POST', path: /^\/dry-run$/, handle: ({ context, form }) => showDryRun(context, form) },
  {
    method: 'POST',
    path: /^\/replay$/,
    handle: ({ context, jobs, form, session }) => startReplay(context, jobs, form, session),
  },
];
