// Descriptors that the control side makes and closes for its workers.

import { create, signal } from '../../sys/eventfd.ts';
import { libc } from '../../sys/libc.ts';

/** An eventfd by which a worker is woken from its wait. */
export const createWake = create;
export const wakeUp = signal;

export const closeDescriptors = (fds: readonly number[]): void => {
  for (const fd of fds) libc.close(fd);
};
