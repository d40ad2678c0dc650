/** Under what circumstances contestants are compared: what a topology is built for. Plain data. */

export interface Setting {
  /**
   * `wire`: frames of MTU size cross the underlay, as on a cable, joined at reception. `offloading`: the virtual link
   * hands over what a sender's segmentation offload made, up to 64 KiB.
   */
  readonly underlay: 'wire' | 'offloading';
  /** Of the underlay, bytes. */
  readonly mtu: number;
  /** Of the pods. The underlay is IPv4. */
  readonly family: 4 | 6;
  /** Whether what the pods send may be left to others to cut and to sum up. */
  readonly podOffload: boolean;
  /** Whether the nodes masquerade what pods send to outside: their kernel then tracks connections, the tunnels' too. */
  readonly masquerade: boolean;
  /** Worker threads of a Weft node whose contestant does not say otherwise. */
  readonly workers: number;
}

/** What most users have. One worker: both nodes and the load share what are often two cores. */
export const BASE: Setting = {
  underlay: 'wire',
  mtu: 1500,
  family: 4,
  podOffload: true,
  masquerade: false,
  workers: 1,
};

/** What is different from the base, in words; '' when nothing is. */
export function settingText(setting: Setting): string {
  const parts: string[] = [];
  if (setting.underlay !== BASE.underlay) parts.push('offloading underlay');
  if (setting.mtu !== BASE.mtu) parts.push(`MTU ${setting.mtu}`);
  if (setting.family !== BASE.family) parts.push('IPv6');
  if (!setting.podOffload) parts.push('pods without offload');
  if (setting.masquerade) parts.push('masquerading nodes');
  if (setting.workers !== BASE.workers) parts.push(`${setting.workers} workers`);
  return parts.join(', ');
}

/** The same for settings that are the same. */
export const settingKey = ({ underlay, mtu, family, podOffload, masquerade, workers }: Setting): string =>
  [
    underlay,
    mtu,
    `ipv${family}`,
    podOffload ? 'offload' : 'plain',
    masquerade ? 'masquerade' : 'no NAT',
    workers,
  ].join('/');
