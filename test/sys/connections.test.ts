import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { connections, openConntrack } from '../../sys/conntrack.ts';
import { bytes, makeNamespace, sysErrorOf } from './support.ts';

const UDP = 17;

const conntrack = (namespace: string, ...args: string[]): string =>
  execFileSync('nsenter', [`--net=${namespace}`, 'conntrack', ...args], { encoding: 'utf8', stdio: 'pipe' });

function insert(
  namespace: string,
  protocol: string,
  source: string,
  destination: string,
  port: number,
  more: string[] = [],
) {
  const state = protocol === 'tcp' ? ['--state', 'ESTABLISHED'] : [];
  const ports = ['--sport', '4000', '--dport', `${port}`];
  conntrack(
    namespace,
    '-I',
    '-p',
    protocol,
    '-s',
    source,
    '-d',
    destination,
    ...ports,
    '-t',
    '100',
    ...state,
    ...more,
  );
}

test('connections to a port are found, with where they were sent and who answers, and end when they are removed', () => {
  const namespace = makeNamespace();
  insert(namespace, 'udp', '10.0.0.1', '10.0.0.9', 53);
  insert(namespace, 'udp', '10.0.0.2', '10.0.0.9', 53, ['--dst-nat', '10.1.1.1']);
  insert(namespace, 'udp', '10.0.0.1', '10.0.0.9', 54);
  insert(namespace, 'tcp', '10.0.0.1', '10.0.0.9', 53);
  insert(namespace, 'udp', 'fd00::1', 'fd00::9', 53);
  const netlink = openConntrack(namespace);
  const found = netlink.list(connections.to({ family: 4, protocol: UDP, port: 53 }));
  const ends = found.map(({ destination, answeredBy }) => [destination.join('.'), answeredBy.join('.')]);
  expect(ends.sort()).toEqual([
    ['10.0.0.9', '10.0.0.9'],
    ['10.0.0.9', '10.1.1.1'],
  ]);
  expect(netlink.list(connections.to({ family: 6, protocol: UDP, port: 53 }))).toMatchObject([
    { family: 6, destination: bytes('fd00::9'), answeredBy: bytes('fd00::9') },
  ]);
  netlink.run(...found.map(connections.remove));
  expect(netlink.list(connections.to({ family: 4, protocol: UDP, port: 53 }))).toEqual([]);
  expect(conntrack(namespace, '-L').trim().split('\n')).toHaveLength(3);
  expect(sysErrorOf(() => netlink.run(connections.remove(found[0]))).message).toMatch(
    /ending a tracked connection: IPCTNL_MSG_CT_DELETE failed with ENOENT/,
  );
  netlink.close();
});

test('where nothing was ever tracked there is nothing', () => {
  const netlink = openConntrack(makeNamespace());
  expect(netlink.list(connections.to({ family: 4, protocol: UDP, port: 53 }))).toEqual([]);
  netlink.close();
});
