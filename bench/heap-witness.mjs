// Loaded into the worker before its own program (`node --import`), so that what is measured is the product as it ships. Counts the
// bytes that it allocates on V8's heap, and notes where; bench/programs.ts asks for that by IPC.
import { Session } from 'node:inspector/promises';
import { GCProfiler } from 'node:v8';

/** One sample for so many bytes. */
const SAMPLE_BYTES = 16_384;

let collections = new GCProfiler();
let usedAtFirst = 0;
const session = new Session();
session.connect();

const answers = {
  count: async () => {
    collections = new GCProfiler();
    collections.start();
    usedAtFirst = process.memoryUsage().heapUsed;
    return null;
  },
  // Exact whenever it is asked: what was added before each collection since the one before, and since the last one.
  counted: async () => {
    let allocated = 0;
    let used = usedAtFirst;
    const last = process.memoryUsage().heapUsed;
    for (const { beforeGC, afterGC } of collections.stop().statistics) {
      allocated += beforeGC.heapStatistics.usedHeapSize - used;
      used = afterGC.heapStatistics.usedHeapSize;
    }
    return allocated + last - used;
  },
  sample: async () => {
    await session.post('HeapProfiler.startSampling', {
      samplingInterval: SAMPLE_BYTES,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    });
    return null;
  },
  sampled: async () => (await session.post('HeapProfiler.stopSampling')).profile,
};

process.on('message', async (question) => process.send({ answer: await answers[question]() }));
// Nobody but the worker itself decides when it ends.
process.channel.unref();
