import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { activeFeatures } from '../../sys/ethtool.ts';
import { sysErrorOf } from './support.ts';

test('the active features of a device are those that ethtool shows', () => {
  const text = execFileSync('ethtool', ['-k', 'lo'], { encoding: 'utf8' });
  const shown = [...text.matchAll(/^\t?([\w-]+): (on|off)/gm)].map(([, name, state]) => ({ name, state }));
  const active = activeFeatures('lo');
  expect(active.size).toBeGreaterThan(5);
  // ethtool shows some under names of its own, and groups of them.
  const known = shown.filter(({ name }) => name.startsWith('tx-') || name.startsWith('rx-'));
  expect(known.length).toBeGreaterThan(10);
  for (const { name, state } of known.filter(({ name }) => !GROUPS.includes(name))) {
    expect([name, active.has(name)]).toEqual([name, state === 'on']);
  }
});

/** Of ethtool's own names. */
const GROUPS = [
  'tx-checksumming',
  'rx-checksumming',
  'rx-vlan-offload',
  'tx-vlan-offload',
  'rx-vlan-filter',
  'rx-vlan-stag-hw-parse',
];

test('a device that is not there is an error that says so', () => {
  expect(sysErrorOf(() => activeFeatures('nosuch'))).toMatchObject({ code: 'ENODEV', call: 'SIOCETHTOOL' });
});
