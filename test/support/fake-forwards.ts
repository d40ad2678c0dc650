/** A kernel's table of ports that lead to pods: holds what it is told. `failing` makes it refuse, to see what is then undone. */
import type { PodForwards, PortForward } from '../../cni/host.ts';
import { formatAddress } from '../../wire/address.ts';

export class FakeForwards implements PodForwards {
  failing = false;
  #forwards: readonly PortForward[] = [];

  /** 'tcp 8080 > 10.244.1.2:80', those at one address 'tcp 192.168.77.1:8080 > 10.244.1.2:80'. */
  get list(): string[] {
    return this.#forwards.map(({ protocol, host, hostPort, to, port }) => {
      const at = host ? `${formatAddress(host)}:` : '';
      return `${protocol} ${at}${hostPort} > ${formatAddress(to)}:${port}`;
    });
  }

  async forward(forwards: readonly PortForward[]): Promise<void> {
    if (this.failing) throw new Error('injected: nft refused');
    this.#forwards = forwards;
  }

  async missing(forwards: readonly PortForward[]): Promise<PortForward[]> {
    return forwards.filter((forward) => !this.#forwards.includes(forward));
  }
}
