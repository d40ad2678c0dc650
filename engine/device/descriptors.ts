// Descriptors that the control side makes and closes for its workers.

import { close as closeFile } from 'node:fs';
import { promisify } from 'node:util';
import { create, signal } from '../../sys/eventfd.ts';
import { libc } from '../../sys/libc.ts';

const close = promisify(closeFile);

/** An eventfd by which a worker is woken from its wait. */
export const createWake = create;
export const wakeUp = signal;

/**
 * Closes queues without holding up this thread: each close waits for the kernel's lock on all interfaces, which whoever removes
 * one has for 25 ms.
 */
export const closeInBackground = async (fds: readonly number[]): Promise<void> => {
  for (const fd of fds) await close(fd);
};

export const closeDescriptors = (fds: readonly number[]): void => {
  for (const fd of fds) libc.close(fd);
};
