/**
 * A process of its own that builds a FIB of so many routes and says what it took: `fib-memory.js FAMILY COUNT`. Memory of a
 * process that has done something else before says nothing.
 */
import { insertRoutes } from '../micro/routes.ts';

const [, , family, count] = process.argv;
const before = process.memoryUsage().rss;
const began = performance.now();
const fib = insertRoutes(Number(family) as 4 | 6, Number(count), () => {});
const seconds = (performance.now() - began) / 1000;
const bytes = process.memoryUsage().rss - before;
// The table is looked at last, so that it is still there when memory is.
process.stdout.write(`${JSON.stringify({ bytes, seconds, words: fib.fib.length })}\n`);
