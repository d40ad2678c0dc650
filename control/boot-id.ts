import { readFileSync } from 'node:fs';

/** Of the machine's run since it was started: another one after each boot (random(4)). */
export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
