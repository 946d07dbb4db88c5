// A process that owns a stack: starts one, prints its description, and waits to be ended.
import { describeStack, startStack } from '../../dev/stack.ts';

const stack = await startStack();
process.stdout.write(`${JSON.stringify(describeStack(stack))}\n`);
process.stdin.resume();
