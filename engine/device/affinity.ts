/** On which processor a worker runs, for who has processors to keep for it. */
export { pinThread } from '../../sys/cpus.ts';
