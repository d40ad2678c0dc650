/** Tells systemd how the service is (sd_notify(3), Type=notify-reload), when it was systemd that started it. */
import type { Log } from '../cni/host.ts';
import { sendUnixDatagram } from '../sys/unix-datagram.ts';

export type ServiceState = 'ready' | 'reloading' | 'stopping';

export type Notify = (state: ServiceState) => void;

/** @param socket $NOTIFY_SOCKET: a path, or '@' and an abstract name */
export function systemdNotifier(socket: string | undefined, log: Log): Notify {
  if (!socket) return () => {};
  return (state) => {
    try {
      sendUnixDatagram(socket, messageOf(state));
    } catch (error) {
      log.warn({ err: error }, `systemd was not told that the service is ${state}`);
    }
  };
}

function messageOf(state: ServiceState): string {
  if (state !== 'reloading') return `${state.toUpperCase()}=1\n`;
  // systemd takes a READY=1 that is older than this for one of before. hrtime is CLOCK_MONOTONIC.
  return `RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}\n`;
}
