/** On which processor a worker runs, for who has processors to keep for it, and when others may have it. */
export { pinThread, yieldProcessor } from '../../sys/cpus.ts';
