import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build, type ContestantName } from '../../bench/fabric/contestants/contestants.ts';
import { BASE, settingText } from '../../bench/fabric/setting.ts';
import { Namespace } from '../../lab/namespace.ts';
import { Run } from '../../lab/run.ts';

let run: Run;
beforeAll(() => {
  run = new Run();
});
afterAll(() => run.close());

const compared: readonly ContestantName[] = ['routing', 'kernel-vxlan', 'weft'];

describe.each([false, true])('masquerading nodes: %s', (masquerade) => {
  it.each(compared)('is the same for everyone: %s', async (name) => {
    const { a, b, addressOfB } = await build(run, name, `${name}${masquerade}`, { ...BASE, masquerade });
    expect(a.run('ping', '-c', '1', '-W', '5', addressOfB)).toContain(' 0% packet loss');
    const nodes = [a, b].map((pod) => Namespace.named(pod.name.replace(/-(?=[ab]$)/, '-n')));
    for (const node of nodes) {
      const rules = node.run('nft', 'list', 'ruleset');
      if (!masquerade) expect(rules).toBe('');
      else {
        expect(rules.match(/masquerade$/gm)).toHaveLength(name === 'weft' ? 2 : 1);
        // What makes it cost something: the kernel tracks what passes the node.
        expect(node.run('cat', '/proc/net/nf_conntrack')).not.toBe('');
      }
    }
  });
});

it('is said in the titles of rows', () => {
  expect(settingText({ ...BASE, masquerade: true })).toBe('masquerading nodes');
});
