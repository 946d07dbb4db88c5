import { startStorm, storms } from './storms.ts';

/** Runs one storm in its own process, beside the worker under attack. The argument is the number of the storm. */
const storm = storms[Number(process.argv[2])];
const { DATABASE_URL = '', AMQP_URL = '', WORKER_URL = '' } = process.env;
if (storm === undefined) throw new Error(`expected the number of a storm, got ${process.argv[2]}`);
await startStorm(storm, { databaseUrl: DATABASE_URL, workerUrl: WORKER_URL }, AMQP_URL);
