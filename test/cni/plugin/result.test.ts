// The results of every version as the specification's own examples and the reference plugins write them.
import { describe, expect, it } from 'vitest';
import { formatResult, mergeResults, parseResult, type Result } from '../../../cni/plugin/result.ts';
import { VERSIONS, type Version } from '../../../cni/plugin/version.ts';

const result: Result = {
  interfaces: [{ name: 'eth0', mac: '02:58:00:11:22:33', mtu: 1450, sandbox: '/run/netns/a' }],
  ips: [
    { address: '10.244.1.2/32', gateway: '10.244.1.1', interface: 0 },
    { address: 'fd00:244:1::2/128', gateway: 'fd00:244:1::1', interface: 0 },
  ],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0', mtu: 1400 }],
  dns: { nameservers: ['10.96.0.10'], search: ['cluster.local'] },
};

const dns = { nameservers: ['10.96.0.10'], search: ['cluster.local'] };
const old = (cniVersion: string) => ({
  cniVersion,
  ip4: { ip: '10.244.1.2/32', gateway: '10.244.1.1', routes: [{ dst: '0.0.0.0/0' }] },
  ip6: { ip: 'fd00:244:1::2/128', gateway: 'fd00:244:1::1', routes: [{ dst: '::/0' }] },
  dns,
});
const middle = (cniVersion: string) => ({
  cniVersion,
  interfaces: [{ name: 'eth0', mac: '02:58:00:11:22:33', sandbox: '/run/netns/a' }],
  ips: [
    { version: '4', address: '10.244.1.2/32', gateway: '10.244.1.1', interface: 0 },
    { version: '6', address: 'fd00:244:1::2/128', gateway: 'fd00:244:1::1', interface: 0 },
  ],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  dns,
});
const ips = middle('').ips.map(({ version: _, ...ip }) => ip);
const expected: Record<Version, object> = {
  '0.1.0': old('0.1.0'),
  '0.2.0': old('0.2.0'),
  '0.3.0': middle('0.3.0'),
  '0.3.1': middle('0.3.1'),
  '0.4.0': middle('0.4.0'),
  '1.0.0': { ...middle('1.0.0'), ips },
  '1.1.0': {
    ...middle('1.1.0'),
    ips,
    interfaces: [{ name: 'eth0', mac: '02:58:00:11:22:33', mtu: 1450, sandbox: '/run/netns/a' }],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0', mtu: 1400 }],
  },
};

describe('formatResult', () => {
  it.each(VERSIONS)('writes %s', (version) => {
    expect(JSON.parse(JSON.stringify(formatResult(result, version)))).toEqual(expected[version]);
  });

  it.each(VERSIONS)('reads back what it wrote in %s', (version) => {
    const written = JSON.parse(JSON.stringify(formatResult(result, version)));
    expect(formatResult(parseResult(written, version), version)).toEqual(written);
  });

  it('always has dns before 1.0.0, and only when there is some since', () => {
    const silent = { ...result, dns: {} };
    for (const version of VERSIONS) {
      const written = formatResult(silent, version);
      if (version < '1.0.0') expect(written).toHaveProperty('dns', {});
      else expect(written).not.toHaveProperty('dns');
    }
  });
});

describe('mergeResults', () => {
  const before = parseResult(
    {
      cniVersion: '1.1.0',
      interfaces: [
        { name: 'br0', mac: '02:00:00:00:00:01' },
        { name: 'net1', sandbox: '/run/netns/a', socketPath: '/run/x', pciID: '0000:00:1f.6' },
      ],
      ips: [{ address: '192.0.2.9/24', interface: 1 }],
      routes: [{ dst: '192.0.2.0/24', table: 9, scope: 253 }],
      dns: { domain: 'example' },
    },
    '1.1.0',
  );

  it('passes on what plugins before have made, and points our addresses to our interface', () => {
    expect(formatResult(mergeResults(before, result), '1.1.0')).toEqual({
      cniVersion: '1.1.0',
      interfaces: [
        { name: 'br0', mac: '02:00:00:00:00:01' },
        { name: 'net1', sandbox: '/run/netns/a', socketPath: '/run/x', pciID: '0000:00:1f.6' },
        ...result.interfaces,
      ],
      ips: [
        { address: '192.0.2.9/24', interface: 1 },
        { address: '10.244.1.2/32', gateway: '10.244.1.1', interface: 2 },
        { address: 'fd00:244:1::2/128', gateway: 'fd00:244:1::1', interface: 2 },
      ],
      routes: [{ dst: '192.0.2.0/24', table: 9, scope: 253 }, ...result.routes],
      dns: { domain: 'example' },
    });
  });
});

describe('parseResult', () => {
  it.each([
    [{ interfaces: [{}] }, '1.1.0', 'prevResult.interfaces[0].name: is missing'],
    [{ ips: 7 }, '1.0.0', 'prevResult.ips: 7 is not valid; expected a list'],
    [{ ips: [{ gateway: '10.0.0.1' }] }, '0.4.0', 'prevResult.ips[0].address: is missing'],
    [{ ip4: { gateway: '10.0.0.1' } }, '0.2.0', 'prevResult.ip4.ip: is missing'],
  ] as const)('says what is wrong with %j', (raw, version, message) => {
    expect(() => parseResult(raw, version)).toThrow(message);
  });
});
