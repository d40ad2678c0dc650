/**
 * One end of a load as a process of its own, so that it can be in a pod's namespace: `main.js KIND JSON`. Prints
 * {"ready":true} when the other end may start, and its result as one JSON line at the end.
 */
import { parseAddress } from '../../wire/address.ts';
import { echo, measureRoundTrips, type RoundTripOptions } from './round-trip.ts';
import { type ReceiveOptions, receiveUdp } from './udp-receive.ts';
import { type SendOptions, sendUdp } from './udp-send.ts';

const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
const ready = (): void => print({ ready: true });
const [, , kind, text] = process.argv;
const options = JSON.parse(text, (key, value) => (key === 'to' ? parseAddress(value) : value)) as unknown;

switch (kind) {
  case 'udp-send':
    print(sendUdp(options as SendOptions));
    break;
  case 'udp-receive':
    print(receiveUdp(options as ReceiveOptions, ready));
    break;
  case 'echo': {
    const { family, port } = options as ReceiveOptions;
    echo(family, port, ready);
    break;
  }
  case 'round-trip':
    print(measureRoundTrips(options as RoundTripOptions));
    break;
  default:
    throw new Error(`there is no load '${kind}'`);
}
