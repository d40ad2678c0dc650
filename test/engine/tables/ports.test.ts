import { expect, it } from 'vitest';
import { Limits } from '../../../engine/tables/limits.ts';
import * as ports from '../../../engine/tables/ports.ts';

const fds = (from: number): number[] => Array.from({ length: Limits.workers }, (_, worker) => from + worker);

it('a port is what was written, for every worker; cleared, it has no descriptor left to write to', () => {
  const table = new Int32Array(ports.PORT_WORDS);
  const written = [0, 1, 2, Limits.ports - 1];
  for (const id of written) {
    ports.writePort(table, id, { kind: ports.PortKind.pod, mtu: 1000 + id, fds: fds(id * 100) });
  }
  const expectWritten = (id: number): void => {
    expect(ports.kind(table, id)).toBe(ports.PortKind.pod);
    expect(ports.mtu(table, id)).toBe(1000 + id);
    expect(fds(0).map((worker) => ports.fd(table, id, worker))).toEqual(fds(id * 100));
  };
  written.forEach(expectWritten);
  ports.clearPort(table, 1);
  expect(ports.kind(table, 1)).toBe(ports.PortKind.free);
  expect(fds(0).map((worker) => ports.fd(table, 1, worker))).toEqual(fds(0).map(() => -1));
  for (const id of [0, 2, Limits.ports - 1]) expectWritten(id);
});
