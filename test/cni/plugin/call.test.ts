// What runtimes send, and what the plugin reads in it: environment and stdin of every verb.
import { describe, expect, it } from 'vitest';
import { readRequest, readStdin } from '../../../cni/plugin/call.ts';
import { verbOf } from '../../../cni/plugin/verb.ts';
import { VERSIONS, versionAnswer } from '../../../cni/plugin/version.ts';
import { formatAddress, parseAddress } from '../../../wire/address.ts';

const env = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1',
  CNI_IFNAME: 'eth0',
  CNI_NETNS: '/run/netns/a',
  CNI_PATH: '/opt/cni/bin',
};
const conf = { cniVersion: '1.1.0', name: 'fabric', type: 'weft-cni' };

const read = (changed: object = {}, environment: Partial<typeof env> & Record<string, string> = {}) =>
  readRequest({ env: { ...env, ...environment } }, readStdin(JSON.stringify({ ...conf, ...changed })));

function refusal(fn: () => unknown): { code: number; message: string } {
  try {
    fn();
  } catch (error) {
    return error as { code: number; message: string };
  }
  throw new Error('it was accepted');
}

describe('a call', () => {
  it('as libcni makes it', () => {
    expect(read({ capabilities: { ips: true }, disableGC: 'true' })).toMatchObject({
      verb: 'ADD',
      version: '1.1.0',
      id: 'c1',
      ifname: 'eth0',
      netns: '/run/netns/a',
      config: { name: 'fabric', ipam: undefined, ips: [], ranges: [], validAttachments: undefined },
    });
  });

  it('without a version is of 0.1.0', () => {
    expect(read({ cniVersion: undefined }).version).toBe('0.1.0');
  });

  it('as podman makes it: address and MAC in CNI_ARGS', () => {
    const args = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=web;K8S_POD_NAME=web;IP=10.244.1.7;MAC=02:AA:00:00:00:07';
    const { args: found } = read({}, { CNI_ARGS: args });
    expect(found.ips?.map(formatAddress)).toEqual(['10.244.1.7']);
    expect(found.mac).toBe('02:AA:00:00:00:07');
  });

  it('as containerd makes it: capital keys, nulls, a second DEL without namespace', () => {
    const runtimeConfig = {
      portMappings: null,
      dns: { Servers: ['10.0.0.10'], Searches: ['a.b'], Options: null },
    };
    expect(read({ runtimeConfig }).config.dns).toEqual({
      nameservers: ['10.0.0.10'],
      search: ['a.b'],
      options: [],
    });
    expect(read({}, { CNI_COMMAND: 'DEL', CNI_NETNS: '' })).toMatchObject({ verb: 'DEL', netns: '' });
  });

  it('has port mappings as containerd and as podman write them', () => {
    const capital = { HostPort: 8080, ContainerPort: 80, Protocol: 'UDP', HostIP: '' };
    const small = { hostPort: 8443, containerPort: 443, hostIP: '192.0.2.1' };
    expect(read({ runtimeConfig: { PortMappings: [capital, small] } }).config.portMappings).toEqual([
      { protocol: 'udp', hostPort: 8080, containerPort: 80 },
      { protocol: 'tcp', hostPort: 8443, containerPort: 443, hostIp: parseAddress('192.0.2.1') },
    ]);
  });

  it('of DEL is read whatever has become of the configuration', () => {
    const broken = { ranges: 'gone', prevResult: { ips: 5 }, mtu: 'large', runtimeConfig: { ips: ['x'] } };
    expect(read(broken, { CNI_COMMAND: 'DEL', CNI_ARGS: 'nonsense' }).id).toBe('c1');
    expect(refusal(() => read(broken)).code).toBe(7);
  });

  it('prefers addresses of runtimeConfig to those of args', () => {
    const args = { cni: { ips: ['10.244.1.8'] } };
    const ips = (changed: object) => read(changed).config.ips.map(formatAddress);
    expect(ips({ args, runtimeConfig: { ips: ['10.244.1.9/24', 'fd00::9'] } })).toEqual([
      '10.244.1.9',
      'fd00::9',
    ]);
    expect(ips({ args })).toEqual(['10.244.1.8']);
  });

  it('may ask for ranges', () => {
    const ranges = (ipRanges: unknown) =>
      read({ runtimeConfig: { ipRanges } }).config.ranges.map(({ first, last }) =>
        [first, last].map(formatAddress),
      );
    expect(
      ranges([[{ subnet: '10.244.1.0/28' }, { subnet: '10.244.1.64/26', rangeStart: '10.244.1.70' }]]),
    ).toEqual([
      ['10.244.1.0', '10.244.1.15'],
      ['10.244.1.70', '10.244.1.127'],
    ]);
    expect(ranges([[{ subnet: 'fd00:1::/64' }]])).toEqual([['fd00:1::', 'fd00:1::ffff:ffff:ffff:ffff']]);
  });

  it('of GC knows a missing list from an empty one, and the name of the draft', () => {
    const list = (changed: object) => read(changed, { CNI_COMMAND: 'GC' }).config.validAttachments;
    expect(list({})).toBeUndefined();
    expect(list({ 'cni.dev/valid-attachments': [] })).toEqual([]);
    const one = [{ containerID: 'c1', ifname: 'eth0' }];
    expect(list({ 'cni.dev/valid-attachments': one })).toEqual([{ id: 'c1', ifname: 'eth0' }]);
    expect(list({ 'cni.dev/attachments': one })).toEqual([{ id: 'c1', ifname: 'eth0' }]);
  });
});

describe('errors', () => {
  it('an unknown or missing verb is 4, text that is no JSON is 6', () => {
    expect(refusal(() => verbOf({ CNI_COMMAND: 'PUT' }))).toMatchObject({
      code: 4,
      message: expect.stringMatching(/^CNI_COMMAND: "PUT" is none of ADD, DEL/),
    });
    expect(refusal(() => verbOf({}))).toMatchObject({ code: 4 });
    expect(refusal(() => readStdin('{"a":'))).toMatchObject({ code: 6 });
    expect(refusal(() => readStdin('[1]'))).toMatchObject({ code: 6 });
  });

  const refused: [string, object, Record<string, string>, number, RegExp][] = [
    ['a version of the future', { cniVersion: '2.0.0' }, {}, 1, /^incompatible CNI versions/],
    [
      'CHECK before 0.4.0',
      { cniVersion: '0.3.1' },
      { CNI_COMMAND: 'CHECK' },
      1,
      /CHECK is part of CNI 0\.4\.0/,
    ],
    ['GC before 1.1.0', { cniVersion: '1.0.0' }, { CNI_COMMAND: 'GC' }, 1, /GC is part of CNI 1\.1\.0/],
    ['STATUS before 1.1.0', { cniVersion: '0.4.0' }, { CNI_COMMAND: 'STATUS' }, 1, /STATUS/],
    ['no network name', { name: '' }, {}, 7, /^name:/],
    ['a bad network name', { name: '-x' }, {}, 7, /^name: "-x" is not valid/],
    ['no container', {}, { CNI_CONTAINERID: '' }, 4, /^CNI_CONTAINERID: is not set/],
    ['a bad container', {}, { CNI_CONTAINERID: 'a/b' }, 4, /CNI_CONTAINERID/],
    ['no interface name', {}, { CNI_IFNAME: '' }, 4, /^CNI_IFNAME/],
    ['a bad interface name', {}, { CNI_IFNAME: 'a:b' }, 4, /CNI_IFNAME.*"a:b"/],
    ['a long interface name', {}, { CNI_IFNAME: 'sixteen-letters-' }, 4, /CNI_IFNAME/],
    ['no namespace', {}, { CNI_NETNS: '' }, 4, /^CNI_NETNS/],
    ['unknown arguments', {}, { CNI_ARGS: 'COLOUR=red' }, 4, /^CNI_ARGS: unknown COLOUR/],
    ['an argument without value', {}, { CNI_ARGS: 'IgnoreUnknown=1;IP' }, 4, /^CNI_ARGS: "IP" is not/],
    ['an address that is none', {}, { CNI_ARGS: 'IP=10.1' }, 4, /^CNI_ARGS: IP/],
    ['a wanted address that is none', { runtimeConfig: { ips: ['10.1'] } }, {}, 7, /^runtimeConfig\.ips/],
    ['an MTU that is none', { mtu: 'big' }, {}, 7, /^mtu: "big" is not valid; expected a whole number/],
    ['a MAC that is none', { runtimeConfig: { mac: 'x' } }, {}, 7, /^mac "x"/],
    [
      'a bandwidth that is none',
      { runtimeConfig: { bandwidth: { ingressRate: '10M' } } },
      {},
      7,
      /^runtimeConfig\.bandwidth\.ingressRate: "10M" is not valid; expected a whole number/,
    ],
    [
      'a burst without a rate',
      { runtimeConfig: { bandwidth: { EgressBurst: 8000 } } },
      {},
      7,
      /^runtimeConfig\.bandwidth: egressBurst: 8000 without egressRate/,
    ],
    [
      "a port mapping without the pod's port",
      { runtimeConfig: { PortMappings: [{ HostPort: 80 }] } },
      {},
      7,
      /^runtimeConfig\.portMappings\[0\]\.containerPort: is missing or 0/,
    ],
    [
      'a port that is none',
      { runtimeConfig: { portMappings: [{ hostPort: 65536, containerPort: 1 }] } },
      {},
      7,
      /hostPort: 65536 is not valid; expected a whole number from 1 to 65535/,
    ],
    [
      'a protocol without ports',
      { runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 80, protocol: 'icmp' }] } },
      {},
      2,
      /portMappings\[0\]\.protocol: "icmp" is not supported; expected tcp, udp, sctp/,
    ],
    [
      'a host address that is none',
      { runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 80, hostIP: 'here' }] } },
      {},
      7,
      /^runtimeConfig\.portMappings\[0\]\.hostIP/,
    ],
    [
      'two addresses of a family',
      { ranges: [[{ subnet: '10.0.0.0/24' }], [{ subnet: '10.0.1.0/24' }]] },
      {},
      2,
      /one of each/,
    ],
    [
      'a range with host bits',
      { ranges: [[{ subnet: '10.0.0.7/24' }]] },
      {},
      7,
      /^ranges\[0\]\[0\]\.subnet: .*host bits/,
    ],
    ['an IPAM without type', { ipam: { subnet: '10.0.0.0/24' } }, {}, 7, /^ipam\.type/],
    ['an IPAM that is a path', { ipam: { type: '../x' } }, {}, 7, /^ipam\.type/],
  ];
  it.each(refused)('%s', (_, changed, environment, code, message) => {
    const error = refusal(() => read(changed, environment));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('VERSION', () => {
  it('is answered in the version asked for, when we speak it', () => {
    expect(versionAnswer('0.4.0')).toEqual({ cniVersion: '0.4.0', supportedVersions: VERSIONS });
    expect(versionAnswer('9.9.9')).toEqual({ cniVersion: '1.1.0', supportedVersions: VERSIONS });
    expect(VERSIONS).toEqual(['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0']);
  });
});
